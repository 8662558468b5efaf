import { vi } from 'vitest';
import { run } from '../../cli/program.ts';

/** One command line in this process: its exit code and what it printed. */
export async function captured(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const out = { stdout: '', stderr: '' };
  const take = (name: 'stdout' | 'stderr') =>
    vi.spyOn(process[name], 'write').mockImplementation((text, encoding, written) => {
      out[name] += typeof text === 'string' ? text : Buffer.from(text).toString();
      const done = typeof encoding === 'function' ? encoding : written;
      done?.();
      return true;
    });
  const spies = [take('stdout'), take('stderr')];
  try {
    const code = await run([process.execPath, 'custody', ...args]);
    return { code, ...out };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
