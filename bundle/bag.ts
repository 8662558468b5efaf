import { BAGIT_TEXT, FILE } from '../evidence/bundle/format.ts';
import type { Staging } from './staging.ts';

/** What bag-info.txt tells people who only know BagIt. */
export interface BagInfo {
  readonly caseId: string;
  readonly createdMs: number;
  readonly tool: { readonly name: string; readonly version: string };
  readonly description: string;
}

/** Files that cover the manifests and so cannot be in one. */
const SEALS = /^seal\./;

/**
 * Writes the tag files of a BagIt 1.0 bag (RFC 8493) over everything that is staged: the manifest lists the files under
 * data/, the tag manifest every other one but itself and the seals. Names in order of their bytes.
 */
export async function writeBagFiles(staging: Staging, info: BagInfo): Promise<void> {
  const payload = [...staging.files].filter(([name]) => name.startsWith('data/'));
  const payloadBytes = payload.reduce((sum, [, { bytes }]) => sum + bytes, 0);
  await staging.write(FILE.bagit, BAGIT_TEXT);
  await staging.write(
    FILE.bagInfo,
    [
      `Bagging-Date: ${new Date(info.createdMs).toISOString().slice(0, 10)}`,
      `Bag-Software-Agent: ${info.tool.name} ${info.tool.version}`,
      `External-Identifier: ${info.caseId}`,
      `External-Description: ${info.description}`,
      `Payload-Oxum: ${payloadBytes}.${payload.length}`,
      '',
    ].join('\n'),
  );
  await staging.write(FILE.manifest, manifestOf(payload));
  const tags = [...staging.files].filter(([name]) => !name.startsWith('data/') && !SEALS.test(name));
  await staging.write(FILE.tagManifest, manifestOf(tags));
}

const manifestOf = (files: readonly (readonly [string, { readonly sha256: string }])[]): string =>
  [...files]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { sha256 }]) => `${sha256}  ${name}\n`)
    .join('');
