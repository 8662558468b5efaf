import { z } from 'zod';
import { BundleReadError } from '../../evidence/bundle/files.ts';
import type { BundleVerdict } from '../../evidence/bundle/verdict.ts';
import { unreadableVerdict, verifyBundle } from '../../evidence/bundle/verify.ts';
import { describeVerdict } from '../../evidence/bundle/words.ts';
import { InflateError, type InflateRaw, openZip } from '../../evidence/bundle/zip.ts';
import type { TrustPolicy } from '../../schemas/trust-policy.ts';
import { readTrustPolicy } from '../trust-file.ts';

/** The verifier as a page: whatever it shows of a bundle it sets as text, never as markup. */
// The page's policy forbids code made from text.
z.config({ jitless: true });

/** An element of page.html, which has every id that is asked for here. */
const element = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;
const bundleInput = element('bundle') as HTMLInputElement;
const trustInput = element('trust') as HTMLInputElement;
const drop = element('drop');
const progress = element('progress') as HTMLProgressElement;

let chosen: { bundle?: File; trust?: File } = {};
/** Only the last choice is shown. */
let run = 0;

bundleInput.addEventListener('change', () => choose(bundleInput.files));
trustInput.addEventListener('change', () => choose(trustInput.files));
document.addEventListener('dragover', (event) => {
  event.preventDefault();
  drop.classList.add('over');
});
document.addEventListener('dragleave', () => drop.classList.remove('over'));
document.addEventListener('drop', (event) => {
  event.preventDefault();
  drop.classList.remove('over');
  choose(event.dataTransfer?.files ?? null);
});

function choose(files: FileList | null): void {
  for (const file of files ?? [])
    chosen = { ...chosen, [file.name.endsWith('.json') ? 'trust' : 'bundle']: file };
  drop.textContent = `bundle: ${chosen.bundle?.name ?? 'none yet'}; trust policy: ${chosen.trust?.name ?? 'none yet'}`;
  if (chosen.bundle !== undefined) void verify(chosen.bundle, chosen.trust, ++run);
}

async function verify(bundle: File, trustFile: File | undefined, mine: number): Promise<void> {
  const failed = (reason: string) => {
    if (mine === run) element('error').textContent = reason;
  };
  element('error').textContent = '';
  element('result').hidden = true;
  progress.value = 0;
  progress.hidden = false;
  try {
    const trust = trustFile === undefined ? undefined : readTrustPolicy(await trustFile.text());
    if (trust !== undefined && 'reason' in trust) {
      failed(`Cannot use the trust policy: ${trust.reason}`);
      return;
    }
    const verdict = await verdictOf(bundle, trust);
    if (mine === run) show(verdict);
  } catch (error) {
    failed(`Cannot verify: ${error instanceof Error ? error.message : 'unknown reason'}`);
  } finally {
    if (mine === run) progress.hidden = true;
  }
}

async function verdictOf(bundle: File, trust: TrustPolicy | undefined): Promise<BundleVerdict> {
  const onProgress = (done: number, total: number) => {
    progress.value = total === 0 ? 1 : done / total;
  };
  try {
    const read = async (offset: number, length: number) =>
      new Uint8Array(await bundle.slice(offset, offset + length).arrayBuffer());
    return await verifyBundle(await openZip({ bytes: bundle.size, read }, inflateRaw), { trust, onProgress });
  } catch (error) {
    if (error instanceof BundleReadError) return unreadableVerdict(error, { trust });
    throw error;
  }
}

/** The browser's own inflate: it streams, and refuses data that goes on after its end. */
const inflateRaw: InflateRaw = async function* (compressed) {
  const chunks = compressed[Symbol.asyncIterator]();
  let sourceError: unknown;
  const source = new ReadableStream<BufferSource>({
    async pull(controller) {
      try {
        const next = await chunks.next();
        if (next.done === true) controller.close();
        else controller.enqueue(next.value as Uint8Array<ArrayBuffer>);
      } catch (error) {
        sourceError = error;
        controller.error(error);
      }
    },
  });
  const reader = source.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (sourceError !== undefined) throw sourceError as Error;
    throw new InflateError('damaged', { cause: error });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
};

function show(verdict: BundleVerdict): void {
  const heading = element('verdict');
  heading.textContent = verdict.verdict.toUpperCase();
  heading.dataset['verdict'] = verdict.verdict;
  element('claim').textContent = verdict.claim;
  const table = element('findings') as HTMLTableElement;
  table.hidden = verdict.findings.length === 0;
  const rows = verdict.findings.map(({ cause, file, log, seq, detail }) => {
    const row = document.createElement('tr');
    for (const text of [cause, file, log, seq, detail]) row.insertCell().textContent = text ?? '';
    return row;
  });
  table.tBodies[0]?.replaceChildren(...rows);
  element('text').textContent = describeVerdict(verdict);
  element('json').textContent = JSON.stringify(verdict);
  element('result').hidden = false;
}
