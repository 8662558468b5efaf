import type { CustodyEvent } from '../../schemas/event.ts';
import type { ActionClass, ToolTraits } from '../detector.ts';
import type { RegisteredTool } from '../registry/registry.ts';
import { toolNameWords } from '../../schemas/tool-name-words.ts';

/**
 * What a tool can do: as registered, else by the server's own hints and by the tool's name. A hint may make a tool more
 * dangerous, never less (MCP: annotations are untrusted).
 */
export function traitsOf(
  tool: CustodyEvent['tool'],
  action: ActionClass,
  registered: RegisteredTool | undefined,
): ToolTraits {
  const words = wordsOf(tool?.name ?? '');
  const hints = tool?.annotations;
  const readOnly =
    registered?.readOnly ?? (action === 'read' || action === 'session' || action === 'unknown');
  return sharedTraits({
    changesState: !readOnly,
    destructive: registered?.destructive ?? (hints?.destructive === true || (!readOnly && words.destructive)),
    privileged: registered?.privileged ?? (!readOnly && words.privileged),
    financial: !readOnly && words.financial,
    untrustedOutput: registered === undefined || readsStrangers(registered),
    egress: registered?.egress ?? action === 'egress',
  });
}

const combinations: (ToolTraits | undefined)[] = Array.from({ length: 64 });

/** One object for each combination: calls of open sessions keep theirs. */
function sharedTraits(traits: ToolTraits): ToolTraits {
  const place =
    (traits.changesState ? 1 : 0) +
    (traits.destructive ? 2 : 0) +
    (traits.privileged ? 4 : 0) +
    (traits.financial ? 8 : 0) +
    (traits.untrustedOutput ? 16 : 0) +
    (traits.egress ? 32 : 0);
  return (combinations[place] ??= traits);
}

/** Nobody has said that it reads only what is ours: MCP's own default is the open world. */
function readsStrangers({ openWorld, zone }: RegisteredTool): boolean {
  return openWorld ?? zone !== 'internal';
}

/** Registered by people, whose word counts in both directions; else by name. */
export function actionOf(tool: CustodyEvent['tool'], registered: RegisteredTool | undefined): ActionClass {
  const named = tool?.action ?? 'unknown';
  if (registered?.action !== undefined) return registered.action;
  if (registered?.egress === true) return 'egress';
  if (registered?.readOnly === true) return 'read';
  const harmless = named === 'read' || named === 'unknown' || named === 'session';
  return registered?.readOnly === false && harmless ? 'write' : named;
}

const destructiveWords = new Set(
  (
    'delete remove drop destroy purge wipe truncate clear revoke cancel terminate erase reset format kill uninstall ' +
    'overwrite decommission detach disable deprovision rollback unpublish'
  ).split(' '),
);

const privilegeWords = new Set(
  (
    'password passwd passphrase credential credentials secret ssh key keys token tokens apikey owner ownership permission ' +
    'permissions role roles grant acl iam admin sudo privilege privileges collaborator collaborators member members ' +
    'mfa otp 2fa policy policies firewall webhook impersonate'
  ).split(' '),
);

const moneyWords = new Set(
  (
    'pay payment payments money transfer purchase buy order checkout invoice refund withdraw deposit wire bank fund funds ' +
    'donate bid trade sell payout payroll charge'
  ).split(' '),
);

/** What the words of a tool's name say it does. */
interface NameWords {
  readonly destructive: boolean;
  readonly privileged: boolean;
  readonly financial: boolean;
}

const knownWords = new Map<string, NameWords>();
const knownMax = 4096;

function wordsOf(name: string): NameWords {
  const known = knownWords.get(name);
  if (known !== undefined) return known;
  const list = toolNameWords(name);
  const words = {
    destructive: list.some((word) => destructiveWords.has(word)),
    privileged: list.some((word) => privilegeWords.has(word)),
    financial: list.some((word) => moneyWords.has(word)),
  };
  if (knownWords.size >= knownMax) knownWords.clear();
  knownWords.set(name, words);
  return words;
}
