import { describe, expect, it } from 'vitest';
import { importSigma } from '../../../../detectors/rules/sigma/import-sigma.ts';

type Head = Readonly<Record<'title' | 'id' | 'name', string>>;

function imported(...heads: readonly Partial<Head>[]) {
  const { rules, problems } = importSigma(
    heads.map((head, index) => ({
      file: `${index}.yml`,
      line: 1,
      document: {
        title: 'Shell in a tool',
        logsource: { product: 'mcp' },
        detection: { s: { tool_name: 'sh' }, condition: 's' },
        ...head,
      },
    })),
  );
  return { ids: rules.map(({ id }) => id), problems };
}
const one = { id: '5f0c6a1e-0000-4000-8000-000000000001' };
const two = { id: 'A7B3C9D2-0000-4000-8000-000000000002' };

describe('the id of an imported rule', () => {
  it('is made of the title, and of the name where there is one', () => {
    expect(imported(one, { ...two, name: 'Other name' }).ids).toEqual(['shell-in-a-tool', 'other-name']);
  });

  it('has part of the Sigma id where titles are equal, whatever the order', () => {
    expect(imported(one, two).ids).toEqual(['shell-in-a-tool-5f0c6a1e', 'shell-in-a-tool-a7b3c9d2']);
    expect(imported(two, one).ids).toEqual(['shell-in-a-tool-a7b3c9d2', 'shell-in-a-tool-5f0c6a1e']);
  });

  it('has all of the Sigma id where its beginning is equal too', () => {
    const near = { id: '5f0c6a1e-0000-4000-8000-000000000009' };
    expect(imported(one, near).ids).toEqual(['shell-in-a-tool-5f0c6a1e', `shell-in-a-tool-${near.id}`]);
  });

  it('stays within its length', () => {
    const title = 'a very long title '.repeat(9);
    const { ids, problems } = imported({ ...one, title }, { ...two, title: `${title} and more` });
    expect(problems).toEqual([]);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(String(id).length).toBeLessThanOrEqual(64);
  });

  it('is left to the one rule without a Sigma id, and a second one is refused by name', () => {
    const { ids, problems } = imported({}, one, {});
    expect(ids).toEqual(['shell-in-a-tool', 'shell-in-a-tool-5f0c6a1e']);
    expect(problems).toEqual([
      {
        file: '2.yml',
        line: 1,
        path: 'title',
        message: 'another rule has the id shell-in-a-tool, and no Sigma id tells them apart',
      },
    ]);
  });

  it('is refused for the same Sigma rule twice', () => {
    const { ids, problems } = imported(one, one);
    expect([ids.length, problems.length]).toEqual([1, 1]);
  });

  it('is made of the Sigma id where the title has no Latin letter', () => {
    expect(imported({ ...one, title: 'Экспорт данных' }, { ...two, title: '数据导出' }).ids).toEqual([
      `sigma-${one.id}`,
      `sigma-${two.id.toLowerCase()}`,
    ]);
  });

  it('is refused where there is nothing to make it of', () => {
    expect(imported({ title: '数据导出' }).problems).toMatchObject([
      { path: 'title', message: 'no id can be made of it, and the rule has no Sigma id' },
    ]);
  });
});
