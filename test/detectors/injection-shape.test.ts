import { describe, expect, it } from 'vitest';
import { injectionShape } from '../../detectors/injection-shape.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { holding, repeat, settle, tenantBytes } from './content-events.ts';
import { detectConfig, runner, type Call } from './sessions.ts';

const starting = () =>
  runner(detectConfig(), { detectors: [injectionShape(detectConfig().injection_shape)] });
const query: Call = { tool: 'find_customer', server: 'crm' };
const deploy: Call = { tool: 'deploy', server: 'ci', action: 'execute' };
const page: Call = { tool: 'read_page', server: 'web' };
const learned = (...usual: readonly Call[]) => {
  const run = starting();
  repeat(run, 22, () => usual);
  return run;
};
const sql = { sql_injection: 1 };

describe('injection-shape', () => {
  it('alerts high when the form is in a call that acts and a value came from what strangers wrote', () => {
    const call = holding(deploy, { shapes: { command_injection: 1 }, values: { branch: [40, 0] } });
    const [alert, ...more] = learned(deploy, page).session('s', [page, call]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Injection in arguments', severity: 'high', tool_name: 'deploy' });
    expect(alert?.reason).toContain('came from the result of web/read_page (untrusted)');
    expect(alert?.reason).toContain('0 % of 22 calls of this tool in 22 sessions');
    expect(alert?.evidence).toHaveLength(2);
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it.each<[string, Call, 'low' | 'medium']>([
    ['a known tool that acts', holding(deploy, { shapes: sql }), 'medium'],
    ['a tool that reads', holding(query, { shapes: sql }), 'low'],
    ['a tool hardly known', holding({ ...deploy, tool: 'new_tool' }, { shapes: sql }), 'low'],
    ['a path of keys that is read', holding(deploy, { shapes: { sensitive_path: 1 } }), 'low'],
    ['a call that was refused', holding({ ...deploy, decision: 'deny' }, { shapes: sql }), 'low'],
  ])('weighs %s', (_name, call, severity) => {
    expect(learned(deploy, query).session('s', [call])).toMatchObject([{ severity }]);
  });

  it('stays silent where such text is the business of the tool', () => {
    const shell = holding(
      { tool: 'run', server: 'shell', action: 'execute' },
      { shapes: { command_injection: 1 } },
    );
    const run = learned(shell);
    expect(run.session('s', [shell])).toEqual([]);
    expect(run.session('t', [holding(shell, { shapes: { template_injection: 1 } })])).toHaveLength(1);
  });

  it('is not quiet when only some calls of the tool are so', () => {
    const run = starting();
    repeat(run, 22, (index) => [
      ...Array<Call>(10).fill(query),
      ...(index < 21 ? [holding(query, { shapes: sql })] : []),
    ]);
    expect(run.session('s', [holding(query, { shapes: sql })])).toHaveLength(1);
  });

  it('stays silent on calls without such a form', () => {
    expect(learned(deploy).session('s', [holding(deploy, { shapes: { sql_statement: 3 } }), deploy])).toEqual(
      [],
    );
  });

  it('learns nothing from sessions under an alert', () => {
    const run = learned(deploy);
    repeat(run, 30, () => [holding(deploy, { shapes: sql })]);
    expect(run.session('s', [holding(deploy, { shapes: sql })])).toMatchObject([{ severity: 'medium' }]);
  });

  it('judges the same after a restart', () => {
    const shell = holding(
      { tool: 'run', server: 'shell', action: 'execute' },
      { shapes: { command_injection: 1 } },
    );
    const run = learned(shell, deploy);
    run.restart();
    expect(run.session('s', [shell, holding(deploy, { shapes: sql })])).toMatchObject([
      { severity: 'medium' },
    ]);
  });

  it('stays bounded under a flood of tools', () => {
    const run = starting();
    for (let index = 0; index < 60; index += 1)
      run.session(
        `flood ${index}`,
        Array.from({ length: 100 }, (_, at) => ({ tool: `t${index}-${at}` })),
      );
    settle(run);
    expect(tenantBytes(run)).toBeLessThan(200_000);
  });
});
