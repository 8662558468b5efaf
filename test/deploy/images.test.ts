import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { pathOf, root, textOf } from './tools.ts';

const stages = (file: string) =>
  [...textOf(file).matchAll(/^FROM (\S+)(?: AS (\S+))?$/gm)].map(([, image, name]) => ({
    image: image!,
    name,
  }));

describe('the image of Custody', () => {
  const dockerfile = textOf('Dockerfile');

  test('is built in one stage and runs in another, which gets no sources and no compiler', () => {
    expect(stages('Dockerfile')).toHaveLength(2);
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    for (const [line] of last.matchAll(/^COPY .*$/gm)) expect(line).toContain('--from=build');
    expect(last).not.toMatch(/apt-get|npm /);
  });

  test('runs as a user that is a number and not root, so that Kubernetes can tell', () => {
    expect(/^USER (\S+)$/m.exec(dockerfile)?.[1]).toMatch(/^[1-9]\d*:[1-9]\d*$/);
  });

  test('has a health check and takes arguments as those of the command', () => {
    expect(dockerfile).toMatch(/^HEALTHCHECK .*\\\n {2}CMD \["node"/m);
    expect(dockerfile).toContain('ENTRYPOINT ["node", "dist/cli/main.cjs"]');
  });

  test('is built from a context without secrets, data or history', () => {
    const ignored = textOf('.dockerignore').split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['.git', 'data', 'secrets', '**/node_modules', 'test']));
  });
});

test.each(['Dockerfile', 'deploy/grafana/Dockerfile'])(
  '%s names every base by version and digest',
  (file) => {
    const bases = stages(file);
    expect(bases.length).toBeGreaterThan(0);
    for (const { image } of bases) expect(image).toMatch(/^[\w./-]+:\d[\w.-]*@sha256:[0-9a-f]{64}$/);
    expect(new Set(bases.map(({ image }) => image)).size).toBe(1);
  },
);

test('no file of the deployment names a moving tag, and one name and tag has one digest everywhere', () => {
  const digests = new Map<string, Set<string>>();
  const files = [
    'Dockerfile',
    'docker-compose.yml',
    ...readdirSync(pathOf('deploy'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(root, join(entry.parentPath, entry.name))),
  ];
  for (const file of files) {
    const text = textOf(file);
    expect(text, file).not.toMatch(/(image|FROM|tag):? +\S*latest\b/);
    for (const [, image, digest] of text.matchAll(/([\w./-]+:[\w.-]+)@(sha256:[0-9a-f]{64})/g)) {
      digests.set(image!, (digests.get(image!) ?? new Set()).add(digest!));
    }
  }
  expect(digests.size).toBeGreaterThan(4);
  for (const [image, seen] of digests) expect([...seen], image).toHaveLength(1);
});
