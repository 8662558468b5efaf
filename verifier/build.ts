import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions } from 'esbuild';

/**
 * Builds the verifiers that stand alone: verify.mjs, one file for Node, and verify.html, one page for any browser, both from
 * the library the CLI uses, and SHA256SUMS of both. The same sources give the same bytes, so that the sums can be
 * published. Run: `node --import tsx verifier/build.ts [directory]`.
 */
const here = import.meta.dirname;

const COMMON = {
  bundle: true,
  write: false,
  minify: true,
  // Names that end in an error a user sees stay as they are.
  keepNames: false,
  legalComments: 'none',
  charset: 'utf8',
  sourcemap: false,
  logLevel: 'error',
  absWorkingDir: join(here, '..'),
  tsconfigRaw: '{"compilerOptions":{"target":"es2023","useDefineForClassFields":true}}',
} as const satisfies BuildOptions;

export async function buildVerifiers(directory: string): Promise<void> {
  const files = new Map([
    ['verify.html', await page()],
    ['verify.mjs', await nodeFile()],
  ]);
  await mkdir(directory, { recursive: true });
  for (const [name, content] of files) await writeFile(join(directory, name), content);
  const sums = [...files].map(([name, content]) => `${sha256(content).toString('hex')}  ${name}\n`);
  await writeFile(join(directory, 'SHA256SUMS'), sums.join(''));
}

async function nodeFile(): Promise<string> {
  const script = await bundled({
    entryPoints: [join(here, 'mjs.ts')],
    platform: 'node',
    format: 'esm',
    target: 'node20',
  });
  return `#!/usr/bin/env node\n${script}`;
}

async function page(): Promise<string> {
  const script = (
    await bundled({
      entryPoints: [join(here, 'browser/page.ts')],
      platform: 'browser',
      format: 'iife',
      target: 'es2023',
      alias: { 'node:crypto': join(here, 'browser/crypto.ts') },
      inject: [join(here, 'browser/buffer.ts')],
    })
  ).replaceAll('</script', '<\\/script');
  const style = await readFile(join(here, 'browser/page.css'), 'utf8');
  const template = await readFile(join(here, 'browser/page.html'), 'utf8');
  // Functions, so that no `$` in the script means anything.
  return template
    .replace('{{SCRIPT_HASH}}', () => sha256(script).toString('base64'))
    .replace('{{STYLE_HASH}}', () => sha256(style).toString('base64'))
    .replace('<!-- STYLE -->', () => `<style>${style}</style>`)
    .replace('<!-- SCRIPT -->', () => `<script>${script}</script>`);
}

async function bundled(options: BuildOptions): Promise<string> {
  const { outputFiles = [] } = await build({ ...COMMON, ...options });
  const [file] = outputFiles;
  if (file === undefined || outputFiles.length !== 1) throw new Error('esbuild gave no single file');
  return file.text;
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

const [, script, directory = 'dist/verify'] = process.argv;
if (script !== undefined && resolve(script) === fileURLToPath(import.meta.url))
  await buildVerifiers(directory);
