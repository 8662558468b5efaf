import type { Component } from '../runtime/component.ts';
import { CustodyError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { PolicyDocument } from '../schemas/policy-document.ts';
import type { Alarms } from './alarms.ts';
import { policyDocumentOf, type PolicySource } from './policy-source.ts';

export interface PolicyDocumentsOptions {
  readonly sources: readonly PolicySource[];
  readonly intervalMs: number;
  readonly alarms: Pick<Alarms, 'raise' | 'clear'>;
  readonly logger: Logger;
}

/** What people keep in files, as it should be in force. */
export interface PolicyDocuments extends Component {
  /** The newest valid document of each source; none of a source that never had one. */
  wanted(): readonly PolicyDocument[];
  /** Looks at the sources now. */
  refresh(): Promise<void>;
  /** Called after each look, changed or not. */
  onLook(look: () => void): void;
}

/**
 * Watches the sources, by stamp first and by digest then. A document that is invalid or gone is refused with an alarm that
 * names what is wrong; the one before stays wanted until a valid one is there.
 */
export function createPolicyDocuments(options: PolicyDocumentsOptions): PolicyDocuments {
  const { sources, alarms, logger } = options;
  const documents = new Map<PolicySource, PolicyDocument>();
  const stamps = new Map<PolicySource, string>();
  const refusals = new Map<PolicySource, string>();
  const looks: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();

  async function look(source: PolicySource): Promise<void> {
    const condition = {
      component: 'policy',
      code: 'policy_refused',
      place: `${source.type} ${source.place}`,
    };
    try {
      const stamp = await source.stamp();
      if (stamp === stamps.get(source)) return;
      const document = policyDocumentOf(source.type, await source.read());
      stamps.set(source, stamp);
      const isNew = documents.get(source)?.digest !== document.digest;
      documents.set(source, document);
      if (isNew) logger.info({ ...about(source), digest: document.digest }, 'policy document read');
      if (refusals.delete(source)) alarms.clear(condition);
    } catch (error) {
      if (!(error instanceof CustodyError)) throw error;
      stamps.delete(source);
      if (refusals.get(source) === error.message) return;
      refusals.set(source, error.message);
      alarms.clear(condition);
      alarms.raise({ ...condition, message: error.message, advisory: true });
      logger.error(
        { ...about(source), err: error },
        'policy document refused; the one before stays in force',
      );
    }
  }

  async function refresh(): Promise<void> {
    const mine = turn.then(async () => {
      for (const source of sources) await look(source);
    });
    turn = mine.catch(() => undefined);
    await mine;
    for (const tell of looks) tell();
  }

  return {
    name: 'policy_documents',
    wanted: () => [...documents.values()],
    refresh,
    onLook: (tell) => void looks.push(tell),
    async start() {
      if (sources.length === 0) return;
      await refresh();
      timer = setInterval(() => {
        refresh().catch((error: unknown) => {
          logger.error({ err: error }, 'policy documents could not be looked at');
        });
      }, options.intervalMs);
    },
    async stop() {
      clearInterval(timer);
      await turn;
    },
  };
}

const about = ({ type, place }: PolicySource) => ({ type, place });
