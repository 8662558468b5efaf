import { open } from 'node:fs/promises';

/** A new name survives a power loss only when the directory that has it is on disk too. Rejects with the system's error. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
