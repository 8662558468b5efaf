import { describe, expect, it } from 'vitest';
import { unusualParameters } from '../../detectors/unusual-parameters.ts';
import type { ArgumentType } from '../../schemas/event/payload.ts';
import { alertSchema } from '../../schemas/alert.ts';
import { holding, listTools, repeat, settle, tenantBytes } from './content-events.ts';
import { detectConfig, runner, type Call } from './sessions.ts';

const starting = () =>
  runner(detectConfig(), { detectors: [unusualParameters(detectConfig().unusual_parameters)] });
const pay: Call = { tool: 'pay', server: 'bank', action: 'write' };
const usual = holding(pay, { keys: ['amount', 'to'], values: { amount: 6, to: 22 } });
const withKey = (key: string, call: Call = pay) => holding(call, { keys: ['amount', 'to', key] });
const learned = (call = usual, sessions = 70) => {
  const run = starting();
  repeat(run, sessions, () => [call, call, call]);
  return run;
};

describe('unusual-parameters', () => {
  it('alerts on an argument that no call of a consequential tool had', () => {
    const [alert, ...more] = learned().session('s', [withKey('on_behalf_of')]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({
      title: 'Argument never used before',
      severity: 'medium',
      tool_name: 'pay',
    });
    expect(alert?.reason).toBe(
      'bank/pay was called with on_behalf_of; none of 210 calls in 70 sessions had this argument.',
    );
    expect(alertSchema.parse(alert)).toEqual(alert);
  });

  it('only notes one of a tool that reads, one that the schema has, or one of a tool with rare arguments', () => {
    const get: Call = { tool: 'get', server: 'bank' };
    expect(learned(holding(get, { keys: ['id'] })).session('s', [withKey('debug', get)])).toMatchObject([
      { severity: 'low' },
    ]);
    const declared = learned();
    listTools(declared, { server: 'bank', tools: { pay: { inputs: ['amount', 'to', 'note'] } } });
    expect(declared.session('s', [withKey('note')])).toMatchObject([{ severity: 'low' }]);
    expect(declared.session('t', [withKey('on_behalf_of')])).toMatchObject([{ severity: 'medium' }]);
    const varied = starting();
    repeat(varied, 25, (index) => [usual, usual, index === 3 ? withKey('note') : usual]);
    expect(varied.session('s', [withKey('label')])).toMatchObject([{ severity: 'low' }]);
  });

  it('alerts on a value far larger than the argument ever had', () => {
    const [alert] = learned().session('s', [holding(pay, { keys: ['amount', 'to'], values: { to: 9000 } })]);
    expect(alert).toMatchObject({ title: 'Argument far larger than usual', severity: 'medium' });
    expect(alert?.observed).toBe('to of bank/pay has 8.8 KiB');
  });

  it('alerts on text and on a structure where there always was a number', () => {
    const typed = (type: ArgumentType) => holding(pay, { keys: ['amount', 'to'], types: [type, 'text'] });
    const run = learned(typed('number'));
    const [alert, ...more] = run.session('s', [typed('text'), typed('text')]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Argument of another type than usual', severity: 'medium' });
    expect(alert?.reason).toBe('amount of bank/pay is text; normal is a number in 210 calls.');
    expect(alertSchema.parse(alert)).toEqual(alert);
    expect(run.session('t', [typed('object')])).toMatchObject([
      { severity: 'medium', observed: 'amount of bank/pay is an object' },
    ]);
    expect(run.session('u', [typed('null')])).toEqual([]);
  });

  it('only notes another type of a tool that reads, and what agents slip into', () => {
    const get: Call = { tool: 'get', server: 'bank' };
    const typed = (call: Call, type: ArgumentType) => holding(call, { keys: ['id'], types: [type] });
    const drift = (call: Call, usualType: ArgumentType, type: ArgumentType) =>
      learned(typed(call, usualType)).session('s', [typed(call, type)]);
    expect(drift(get, 'number', 'text')).toMatchObject([{ severity: 'low' }]);
    expect(drift(pay, 'array', 'text')).toMatchObject([{ severity: 'low' }]);
    expect(drift(pay, 'text', 'array')).toMatchObject([{ severity: 'low' }]);
    expect(drift(pay, 'array', 'number')).toMatchObject([{ severity: 'low' }]);
    expect(drift(pay, 'object', 'text')).toMatchObject([{ severity: 'low' }]);
    expect(drift(pay, 'boolean', 'number')).toMatchObject([{ severity: 'low' }]);
    expect(drift(pay, 'boolean', 'text')).toMatchObject([{ severity: 'medium' }]);
    expect(drift(pay, 'text', 'object')).toMatchObject([{ severity: 'medium' }]);
  });

  it.each<[string, ArgumentType, ArgumentType, number]>([
    ['a number, where there was text', 'text', 'number', 70],
    ['true, where there was text', 'text', 'boolean', 70],
    ['text, where there never was anything', 'null', 'text', 70],
    ['text, where there was a number in too few calls', 'number', 'text', 16],
  ])('takes %s for the same type', (_name, usualType, type, sessions) => {
    const typed = (one: ArgumentType) => holding(pay, { keys: ['to'], types: [one] });
    expect(learned(typed(usualType), sessions).session('s', [typed(type)])).toEqual([]);
  });

  const mail: Call = { tool: 'send', server: 'mail', action: 'egress' };
  const told = { keys: ['body'], types: ['text'], values: { body: 900 } } as const;
  const body = (random: number) => holding(mail, { ...told, random: { body: random } });
  const plain = holding(mail, told);

  it('alerts on encoded content in an argument that never has any', () => {
    const [alert, ...more] = learned(plain).session('s', [plain, body(400)]);
    expect(more).toEqual([]);
    expect(alert).toMatchObject({ title: 'Argument with encoded or random content', severity: 'medium' });
    expect(alert?.reason).toBe(
      '400 characters of body of mail/send (900 B) look encoded or random; 0 of 210 values had much of that.',
    );
    expect(alertSchema.parse(alert)).toEqual(alert);
    expect(learned(plain).session('s', [body(255)])).toEqual([]);
    const now = starting();
    repeat(now, 70, (index) => [plain, plain, index % 10 === 0 ? body(64) : plain]);
    expect(now.session('s', [body(400)])).toEqual([]);
  });

  it('takes an argument whose types and characters nobody told for unknown, not for plain', () => {
    const before = holding(mail, { keys: ['body'], values: { body: 900 } });
    const run = learned(before);
    expect(run.session('s', [body(400)])).toEqual([]);
    repeat(run, 30, () => [body(400), body(400)]);
    expect(run.session('t', [body(400)])).toEqual([]);
  });

  it('asks for sessions of the argument, not only of its tool', () => {
    const typed = (type: ArgumentType) => holding(pay, { keys: ['to'], types: [type] });
    const run = learned(holding(pay, { keys: ['to'] }));
    repeat(run, 1, () => Array<Call>(60).fill(typed('number')));
    expect(run.session('s', [typed('text')])).toEqual([]);
  });

  it.each<[string, Call, number]>([
    ['a usual call', usual, 70],
    ['fewer arguments', holding(pay, { keys: ['to'] }), 70],
    ['a new argument after too few calls', withKey('on_behalf_of'), 10],
    ['a value not far above the usual', holding(pay, { values: { to: 180 } }), 70],
    ['a large value below the floor', holding(pay, { values: { amount: 1900 } }), 70],
    ['an argument whose sizes nobody knows', holding(pay, { values: { note: 90_000 } }), 70],
  ])('stays silent on %s', (_name, call, sessions) => {
    expect(learned(usual, sessions).session('s', [call])).toEqual([]);
  });

  it('learns nothing from sessions under an alert', () => {
    const run = learned();
    repeat(run, 5, () => [withKey('on_behalf_of')]);
    expect(run.session('s', [withKey('on_behalf_of')])).toMatchObject([{ severity: 'medium' }]);
  });

  it('stays bounded under a flood of tools and arguments', () => {
    const run = starting();
    for (let index = 0; index < 40; index += 1)
      run.session(
        `flood ${index}`,
        Array.from({ length: 60 }, (_, at) =>
          holding(
            { tool: `t${index}-${at}` },
            {
              keys: Array.from({ length: 60 }, (_k, key) => `k${index}-${key}`),
              types: Array<ArgumentType>(60).fill('number'),
              values: Object.fromEntries(Array.from({ length: 60 }, (_k, key) => [`k${index}-${key}`, 1000])),
            },
          ),
        ),
      );
    settle(run);
    expect(tenantBytes(run)).toBeLessThan(3_000_000);
  });
});
