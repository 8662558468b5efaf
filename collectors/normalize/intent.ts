import type { CustodyEvent, EventKind } from '../../schemas/event.ts';
import type { AttributeValue } from '../otlp/model.ts';
import type { NormalizeContext } from './context.ts';
import { asText } from './field-values.ts';
import { F } from './fields.ts';
import type { ReadFields } from './mapping.ts';
import { messagesOf, promptText } from './prompt-text.ts';
import { intentTokens } from './provenance/describe-values.ts';
import { provenanceKey } from './provenance/provenance-key.ts';
import { DEFAULT_PROVENANCE } from './provenance/settings.ts';

type Intent = NonNullable<CustodyEvent['intent']>;

/** Message events of what is not asked. */
const NOT_ASKED = new Set(['gen_ai.assistant.message', 'gen_ai.tool.message', 'gen_ai.choice']);
/** Spans whose input is the task itself, and not what the agent has come to on its way. */
const TASK_SPANS = new Set(['agent', 'workflow', 'invoke_agent', 'create_agent']);

/** What the agent was asked, as fingerprints, from wherever the record tells it; the text is not kept. */
export function intentOf(
  read: ReadFields,
  kind: EventKind,
  envelope: { readonly name: string | undefined; readonly prompts?: readonly AttributeValue[] },
  pieces: readonly (readonly [string, AttributeValue])[],
  context: NormalizeContext,
  tenant: string,
): Intent | undefined {
  const { values } = read;
  const settings = context.provenance ?? DEFAULT_PROVENANCE;
  if (!settings.enabled || settings.resultTokensMax === 0 || NOT_ASKED.has(envelope.name ?? ''))
    return undefined;
  const max = settings.scanMaxChars;
  const isModel = kind === 'model';
  const texts = [
    promptText(values[F.prompt], !isModel || isUserMessage(envelope.name), max),
    promptText(messagesOf(pieces), false, max),
    ...(envelope.prompts ?? []).map((prompt) => promptText(prompt, false, max)),
  ];
  if (isModel || kind === 'context' || kind === 'plan') {
    const span = (asText(values[F.spanKind]) ?? asText(values[F.operation]) ?? '').toLowerCase();
    const isTask = kind === 'plan' || TASK_SPANS.has(span);
    if (isModel || isTask) texts.push(promptText(values[F.arguments], isTask, max));
  }
  return intentOfText(texts.join('\n').trim(), context, tenant);
}

/** Fingerprints of a task in words; undefined for none. */
export function intentOfText(text: string, context: NormalizeContext, tenant: string): Intent | undefined {
  const { enabled, resultTokensMax, scanMaxChars } = context.provenance ?? DEFAULT_PROVENANCE;
  if (text === '' || !enabled || resultTokensMax === 0) return undefined;
  const key = provenanceKey(context.digestKey, tenant);
  const tokens = intentTokens(text, key, resultTokensMax, scanMaxChars);
  return tokens === undefined ? undefined : { tokens };
}

function isUserMessage(name: string | undefined): boolean {
  return name === 'gen_ai.user.message' || name === 'gen_ai.system.message';
}
