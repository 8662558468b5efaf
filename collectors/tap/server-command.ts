import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { clipText } from '../normalize/clip-text.ts';
import { redactText } from '../normalize/redact.ts';

const SECRET_FLAG = /^--?[\w-]*(?:token|secret|passw|api[-_]?key|auth|credential|cookie|bearer)[\w-]*$/i;
const SECRET_ASSIGNMENT =
  /^(-{0,2}[\w-]*(?:token|secret|passw|api[-_]?key|auth|credential|cookie|bearer)[\w-]*=).+$/is;
const COMMAND_CHARS = 1024;
const MANIFEST_MAX_BYTES = 256 * 1024;
/** `name@1.2.3`, `@scope/name@1.2.3` (npx, bunx) and `name==1.2.3`, `name@1.2.3` (uvx, pipx). */
const PACKAGE = /^((?:@[\w.-]+\/)?[A-Za-z0-9][\w.-]*)(?:@|==)([\w.+-]+)$/;

/** Attributes that say which program the server is: redacted command line, package and version where visible. */
export function describeCommand(command: readonly string[]): Record<string, string> {
  const found = command
    .slice(1)
    .map((word) => PACKAGE.exec(word))
    .find((match) => match !== null);
  const [, name, version] = found ?? [];
  const package_ = name === undefined || version === undefined ? manifestOf(command) : { name, version };
  return {
    'process.command_line': clipText(redactCommand(command), COMMAND_CHARS),
    ...(package_ === undefined ? {} : { 'package.name': package_.name, 'package.version': package_.version }),
  };
}

function redactCommand(command: readonly string[]): string {
  const words = command.map((word, index) => {
    if (SECRET_FLAG.test(command[index - 1] ?? '') && !word.startsWith('-')) return '[redacted:secret]';
    return redactText(word.replace(SECRET_ASSIGNMENT, '$1[redacted:secret]')).text;
  });
  return words.map((word) => (/\s/.test(word) ? JSON.stringify(word) : word)).join(' ');
}

/** The nearest package.json above a script the command names: `node …/dist/index.js` or a bin link. */
function manifestOf(command: readonly string[]): { name: string; version: string } | undefined {
  for (const word of command.filter((part) => part.includes('/')).slice(0, 4)) {
    try {
      if (!existsSync(word) || !statSync(word).isFile()) continue;
      const manifest = nearestManifest(dirname(realpathSync(word)));
      if (manifest !== undefined) return manifest;
    } catch {
      continue;
    }
  }
  return undefined;
}

function nearestManifest(from: string): { name: string; version: string } | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const path = join(directory, 'package.json');
    if (existsSync(path) && statSync(path).size <= MANIFEST_MAX_BYTES) {
      const { name, version } = JSON.parse(readFileSync(path, 'utf8')) as {
        name?: unknown;
        version?: unknown;
      };
      if (typeof name === 'string' && typeof version === 'string')
        return { name: name.slice(0, 256), version: version.slice(0, 256) };
    }
    if (directory === dirname(directory)) return undefined;
  }
}
