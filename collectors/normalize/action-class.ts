import type { CustodyEvent } from '../../schemas/event.ts';
import { toolNameWords } from '../../schemas/tool-name-words.ts';

export type ActionClass = NonNullable<NonNullable<CustodyEvent['tool']>['action']>;

export interface ActionHints {
  /** MCP tool annotations: the server's own word, so they may raise the class and never lower it. */
  readonly annotations?: Readonly<Record<string, unknown>> | undefined;
}

const VERBS: Readonly<Record<Exclude<ActionClass, 'unknown'>, readonly string[]>> = {
  egress: [
    ...[
      'send',
      'post',
      'email',
      'mail',
      'publish',
      'upload',
      'browse',
      'fetch',
      'notify',
      'share',
      'forward',
      'reply',
    ],
    ...[
      'tweet',
      'webhook',
      'curl',
      'wget',
      'crawl',
      'scrape',
      'navigate',
      'download',
      'export',
      'invite',
      'message',
      'wire',
      'broadcast',
    ],
    ...['http', 'url'],
  ],
  execute: [
    ...[
      'exec',
      'execute',
      'run',
      'shell',
      'bash',
      'eval',
      'spawn',
      'invoke',
      'launch',
      'deploy',
      'install',
      'terminal',
    ],
    ...['command', 'script', 'start', 'restart', 'kill', 'stop'],
  ],
  write: [
    ...[
      'write',
      'create',
      'update',
      'delete',
      'remove',
      'set',
      'add',
      'edit',
      'insert',
      'upsert',
      'patch',
      'put',
    ],
    ...[
      'move',
      'rename',
      'append',
      'save',
      'modify',
      'replace',
      'merge',
      'push',
      'commit',
      'drop',
      'truncate',
      'reset',
    ],
    ...[
      'assign',
      'cancel',
      'book',
      'buy',
      'purchase',
      'pay',
      'transfer',
      'order',
      'schedule',
      'grant',
      'revoke',
      'close',
    ],
    ...[
      'archive',
      'approve',
      'apply',
      'store',
      'copy',
      'make',
      'mkdir',
      'register',
      'enable',
      'disable',
      'reserve',
      'sign',
    ],
    ...[
      'star',
      'unstar',
      'follow',
      'unfollow',
      'fork',
      'like',
      'rate',
      'review',
      'comment',
      'pin',
      'tag',
      'label',
    ],
    ...['withdraw', 'deposit', 'refund', 'charge', 'checkout', 'subscribe', 'unsubscribe', 'submit'],
    ...[
      'unlock',
      'lock',
      'block',
      'unblock',
      'ban',
      'promote',
      'demote',
      'rotate',
      'import',
      'restore',
      'rollback',
    ],
  ],
  session: ['login', 'logout', 'connect', 'disconnect', 'authenticate', 'initialize'],
  read: [
    ...[
      'read',
      'get',
      'list',
      'search',
      'find',
      'query',
      'lookup',
      'show',
      'view',
      'describe',
      'count',
      'check',
      'select',
    ],
    ...[
      'open',
      'load',
      'stat',
      'ls',
      'cat',
      'grep',
      'glob',
      'tree',
      'inspect',
      'status',
      'preview',
      'summarize',
      'compare',
    ],
    ...['calculate', 'compute', 'validate', 'verify', 'analyze', 'watch', 'recommend', 'echo', 'retrieve'],
  ],
};

const BY_VERB = new Map<string, ActionClass>(
  Object.entries(VERBS).flatMap(([action, verbs]) =>
    verbs.map((verb) => [verb, action as ActionClass] as const),
  ),
);
const CACHE_MAX = 4096;
const known = new Map<string, ActionClass>();

/** What a tool does, by its annotations and the verb in its name; `unknown` when neither tells. */
export function classifyAction(toolName: string, hints: ActionHints = {}): ActionClass {
  const byName = classByName(toolName);
  const notes = hints.annotations;
  if (notes === undefined || (byName !== 'read' && byName !== 'unknown')) return byName;
  if (notes['destructiveHint'] === true) return 'write';
  if (notes['readOnlyHint'] === false && byName === 'unknown') return 'write';
  // A hint may name the class of a tool whose name says nothing; it cannot talk a write down to a read.
  return notes['readOnlyHint'] === true ? 'read' : byName;
}

function classByName(toolName: string): ActionClass {
  const cached = known.get(toolName);
  if (cached !== undefined) return cached;
  const words = toolNameWords(toolName);
  // The verb mostly comes first (`get_file`), else last (`file-get`, `crm.bulk_update`), else anywhere.
  const action =
    BY_VERB.get(words[0] ?? '') ??
    BY_VERB.get(words.at(-1) ?? '') ??
    words.map((word) => BY_VERB.get(word)).find((found) => found !== undefined) ??
    'unknown';
  if (known.size >= CACHE_MAX) known.clear();
  if (toolName.length <= 256) known.set(toolName, action);
  return action;
}
