import { existsSync } from 'node:fs';

/** The recordings that detections are developed on, beside the project; `undefined`, and a line that says so, where they are missing. */
export function sharedData(): URL | undefined {
  const folder = new URL('../../../shared/data/', import.meta.url);
  if (existsSync(new URL('stream.labels.jsonl.gz', folder))) return folder;
  process.stderr.write('SKIPPED no recordings in ../shared/data\n');
  return undefined;
}
