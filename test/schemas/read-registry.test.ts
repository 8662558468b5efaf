import { expect, test } from 'vitest';
import { pathText, readRegistry } from '../../schemas/read-registry.ts';

const firstProblem = (value: unknown) => {
  const [problem] = readRegistry(value).problems ?? [];
  return problem === undefined ? undefined : `${pathText(problem.path)}: ${problem.reason}`;
};

test.each([
  [{ version: 1, servers: [{ name: 'a', tols: [] }] }, 'servers[0].tols: there is no such key'],
  [{ version: 2 }, 'version: must be 1'],
  [
    { version: 1, servers: [{ name: 'a', zone: 'nowhere' }] },
    'servers[0].zone: there is no zone "nowhere" under zones',
  ],
  [{ version: 1, servers: [{ name: 'a' }, { name: 'a' }] }, 'servers[1].name: "a" has an entry already'],
  [{ version: 1, tickets: [{ id: 'x' }, { id: 'x' }] }, 'tickets[1].id: "x" has an entry already'],
  [
    { version: 1, agents: [{ id: 'a', hours: [{ from: '8:00', to: '18:00' }] }] },
    'agents[0].hours[0].from: must be a time of day such as "08:30" (in quotes)',
  ],
  [{ version: 1, complete: ['everything'] }, expect.stringMatching(/^complete\[0\]: Invalid option/)],
  [null, 'version: must be 1'],
  ['text', expect.stringMatching(/^the document: /)],
])('%j is refused with the path of what is wrong', (value, problem) => {
  expect(firstProblem(value)).toEqual(problem);
});

test('a server may have an entry for each of several tenants', () => {
  expect(
    firstProblem({
      version: 1,
      servers: [{ name: 'a' }, { name: 'a', tenants: ['x'] }, { name: 'a', tenants: ['y'] }],
    }),
  ).toBeUndefined();
});

test('a list entry that is no tool is told by its place', () => {
  expect(firstProblem([{ tool: 'a' }, 7])).toMatch(/^tools\[1\]\.name: /);
});
