import { describe, expect, it } from 'vitest';
import { leakyError } from '../../detectors/leaky-error.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { showing, tenantBytes } from './content-events.ts';
import { detectConfig, runner, type Call } from './sessions.ts';

const starting = () => runner(detectConfig(), { detectors: [leakyError(detectConfig().leaky_error)] });
const failing: Call = { tool: 'run_report', server: 'bi', category: 'tool_error' };
const leaking = showing(failing, { shapes: { stack_trace: 2, internal_path: 4 } });

describe('leaky-error', () => {
  it('notes an error with a stack trace', () => {
    const [alert, ...more] = starting().session('s', [leaking]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      severity: 'low',
      observed: 'an error of bi/run_report shows a stack trace, a path of the server',
    });
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('alerts medium when the error holds a secret', () => {
    const call = showing(failing, { shapes: { sql_error: 1 }, findings: { url_credentials: 1 } });
    expect(starting().session('s', [call])).toMatchObject([
      { severity: 'medium', title: 'Error with a secret in it' },
    ]);
  });

  it('tells the same leak of a tool once a day, over all sessions', () => {
    const run = starting();
    expect(run.session('one', [leaking])).toHaveLength(1);
    expect(run.session('two', [leaking])).toEqual([]);
    run.wait(24 * 3_600_000);
    expect(run.session('three', [leaking])).toHaveLength(1);
  });

  it.each<[string, Call]>([
    ['a result that is no error', showing({ tool: 'read_log' }, { shapes: { stack_trace: 5 } })],
    ['an error that tells nothing', failing],
    ['an error with an address of mail in it', showing(failing, { findings: { email: 1 } })],
    ['an error with an instruction in it', showing(failing, { shapes: { imperative: 1 } })],
  ])('stays silent on %s', (_name, call) => {
    expect(starting().session('s', [call])).toEqual([]);
  });

  it('stays bounded under a flood of tools', () => {
    const run = starting();
    run.session(
      'flood',
      Array.from({ length: 3000 }, (_, at) => ({ ...leaking, tool: `t${at}` })),
    );
    expect(tenantBytes(run)).toBeLessThan(200_000);
  });
});
