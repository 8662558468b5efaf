import { anchorOrigin } from '../evidence/anchor-log/entry.ts';
import { formatVerifierKey } from '../evidence/note/key.ts';
import { createAnchor } from '../notary/anchors/create-anchor.ts';
import type { Anchor } from '../notary/anchor.ts';
import { loadNotaryKeys } from '../notary/keys.ts';
import { createNotary, type Notary } from '../notary/notary.ts';
import { openPublished } from '../notary/published.ts';
import { openStateDirectory } from '../notary/state-directory.ts';
import { openServerStore } from '../sinks/store/server-store.ts';
import type { Store } from '../sinks/store/store.ts';
import type { PipelineContext } from './context.ts';
import { notaryStateDir } from './notary-state-dir.ts';

const HOUR_MS = 3_600_000;

/** What a notary is built from. */
export type NotaryContext = Pick<
  PipelineContext,
  'config' | 'roles' | 'store' | 'deployment' | 'clock' | 'logger' | 'metrics' | 'alarms' | 'secrets'
>;

/** The notary of this process; `undefined` where it is switched off, or the process has another role. */
export async function openNotary(context: NotaryContext): Promise<Notary | undefined> {
  const { config, roles, store, deployment, clock, logger, metrics, alarms } = context;
  if (!roles.has('notary') || !config.notary.enabled || store === undefined) return undefined;
  const path = notaryStateDir(config);
  const origin = anchorOrigin(deployment);
  const configured =
    config.notary.key === undefined ? undefined : context.secrets(config.notary.key, 'notary.key');
  const keys = await loadNotaryKeys({ directory: path, origin, configured });
  const verifierKey = formatVerifierKey(keys.current);
  const anchors: Anchor[] = [];
  const directory = await openStateDirectory(path, { origin, verifierKey });
  const ownStore = await openOwnStore(context).catch(async (error: unknown) => {
    await directory.close();
    throw error;
  });
  try {
    for (const anchor of config.notary.anchors)
      anchors.push(await createAnchor(anchor, { secrets: context.secrets, clock, logger }));
  } catch (error) {
    for (const anchor of anchors) await anchor.close();
    await ownStore?.close();
    await directory.close();
    throw error;
  }
  const notary = createNotary({
    deployment,
    config: config.notary,
    store: ownStore ?? store,
    directory,
    keys,
    anchors,
    // As long as the log has the records of which the rest of such a store is made again.
    published: openPublished({
      ...{ stateDir: path, origin, clock },
      keepMs: config.log.retention_hours * HOUR_MS,
    }),
    clock,
    logger,
    metrics,
    raise: (condition, message) => alarms.raise({ component: 'notary', ...condition, message }),
    clear: (condition) => alarms.clear({ component: 'notary', ...condition }),
  });
  if (ownStore === undefined) return notary;
  return {
    ...notary,
    async stop() {
      await notary.stop();
      await ownStore.close();
    },
  };
}

/** A server is asked with the notary's own rights, where it has some of its own here. */
async function openOwnStore({ config, secrets }: NotaryContext): Promise<Store | undefined> {
  const { username, password } = config.notary;
  if (config.store.type !== 'clickhouse' || username === undefined) return undefined;
  return openServerStore({
    config: { ...config.store, username },
    password: password === undefined ? undefined : secrets(password, 'notary.password'),
    access: 'read',
  });
}
