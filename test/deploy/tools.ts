import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const pathOf = (path: string): string => join(root, path);
export const textOf = (path: string): string => readFileSync(pathOf(path), 'utf8');

const cache = process.env['CUSTODY_TOOLS_DIR'] ?? pathOf('node_modules/.cache/custody-tools');
const outputMaxBytes = 64 * 1024 * 1024;
/** The first build compiles some thousand packages. */
export const BUILD_TIMEOUT_MS = 1_500_000;

type Tool = 'compose' | 'helm' | 'manifests';

/** Whether the tool is there or can be built; says so in the output when not. */
export function toolAvailable(tool: Tool): boolean {
  if (existsSync(join(cache, tool)) || onPath('go')) return true;
  process.stderr.write(
    `test/deploy: NOTICE: ${tool} is not there and go is not either: its tests are skipped\n`,
  );
  return false;
}

/** Builds the tool if it is not there yet. */
export async function installTool(tool: Tool): Promise<void> {
  await run('sh', [pathOf('test/deploy/install-tools.sh'), tool], { timeout: BUILD_TIMEOUT_MS });
}

/** Standard output of the tool with this input; rejects with what it said when it fails. */
export async function pipeTool(tool: Tool, input: string): Promise<string> {
  const running = run(join(cache, tool), [], { maxBuffer: outputMaxBytes });
  running.child.stdin?.end(input);
  return (await running).stdout;
}

/** Standard output; rejects with what the tool said when it fails. */
export async function runTool(tool: Tool, ...args: readonly string[]): Promise<string> {
  const { stdout } = await run(join(cache, tool), [...args], { cwd: root, maxBuffer: outputMaxBytes });
  return stdout;
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
