import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { anchorOrigin } from '../evidence/anchor-log/entry.ts';
import type { ExternalHead } from '../evidence/anchor-log/external-heads.ts';
import { localTrust, NO_TRUST, pinnedTrust, type PinnedTrust } from '../evidence/anchor-log/pinned-keys.ts';
import { growRange } from '../evidence/merkle/compact-range.ts';
import { parseCheckpoint } from '../evidence/note/checkpoint.ts';
import { parseNote } from '../evidence/note/note.ts';
import type { Anchor } from '../notary/anchor.ts';
import { createAnchor } from '../notary/anchors/create-anchor.ts';
import { PUBLIC_KEY } from '../notary/keys.ts';
import { parseState } from '../notary/state.ts';
import { STATE_FILE } from '../notary/state-directory.ts';
import type { Clock } from '../runtime/clock.ts';
import { ConfigError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { TrustPolicy } from '../schemas/trust-policy.ts';
import type { ConsultedAnchor } from '../sinks/store/verify-signed.ts';
import type { PipelineOptions } from './context.ts';
import { notaryStateDir } from './notary-state-dir.ts';

export interface EvidenceSources extends Pick<PipelineOptions, 'config' | 'secrets'> {
  readonly deployment: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** From outside; without it the key that the deployment has of itself counts. */
  readonly policy?: TrustPolicy | undefined;
  /** Ask the configured anchors, and the notary's own memory. */
  readonly withAnchors: boolean;
}

/** What a store is held against besides itself and the log. */
export interface VerifyEvidence {
  readonly trust: PinnedTrust;
  readonly anchors: readonly ConsultedAnchor[];
  close(): Promise<void>;
}

/** @throws ConfigError for a policy of another deployment, or with keys that are none. */
export async function openVerifyEvidence(sources: EvidenceSources): Promise<VerifyEvidence> {
  const { config, policy, deployment } = sources;
  const directory = notaryStateDir(config);
  const trust = policy === undefined ? await ownTrust(directory) : trustOf(policy, deployment);
  const opened: Anchor[] = [];
  const origin = anchorOrigin(deployment);
  const anchors = !sources.withAnchors
    ? []
    : [
        ...config.notary.anchors
          // What goes to a SIEM is never read back.
          .filter(({ type }) => type !== 'siem')
          .map((anchor) => ({
            id: anchor.id,
            async latest() {
              const open = await createAnchor(anchor, sources);
              opened.push(open);
              const head = await open.latest?.(origin);
              return (
                head && {
                  anchor: anchor.id,
                  size: head.size,
                  root: head.root ?? rootOf(head),
                  note: head.note,
                }
              );
            },
          })),
        { id: 'notary', latest: () => notaryMemory(directory, origin) },
      ];
  return {
    trust,
    anchors,
    async close() {
      for (const anchor of opened.splice(0)) await anchor.close();
    },
  };
}

function rootOf({ note }: Pick<ExternalHead, 'note'>): Uint8Array | undefined {
  return note === undefined ? undefined : parseCheckpoint(note.text)?.root;
}

function trustOf(policy: TrustPolicy, deployment: string): PinnedTrust {
  if (policy.deployment !== deployment)
    throw new ConfigError(
      `cannot verify: the trust policy is for deployment ${policy.deployment}, this is ${deployment}`,
      { path: '--trust' },
    );
  try {
    return pinnedTrust(policy);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ConfigError(`cannot use the trust policy: ${cause.message}`, { path: '--trust', cause });
  }
}

/** The public half that the notary left in its directory; nothing where it runs elsewhere. */
async function ownTrust(directory: string): Promise<PinnedTrust> {
  const text = await readOwn(join(directory, PUBLIC_KEY));
  if (text === undefined) return NO_TRUST;
  try {
    return localTrust(text.trim());
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new ConfigError(`cannot use ${join(directory, PUBLIC_KEY)}: ${cause.message}`, { cause });
  }
}

/** What the notary remembers that it signed: ahead of the store by a cycle at most, between signing and publishing. */
async function notaryMemory(directory: string, origin: string): Promise<ExternalHead | undefined> {
  const path = join(directory, STATE_FILE);
  const text = await readOwn(path);
  if (text === undefined) return undefined;
  const state = parseState(text, path);
  if (state.origin !== origin || state.note === '') return undefined;
  const size = state.anchor.end;
  return {
    ...{ anchor: 'notary', size, root: growRange(state.anchor).root(), note: parseNote(state.note) },
    settledSize: state.publication?.entries[0]?.seq ?? size,
    isOwn: true,
  };
}

async function readOwn(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
