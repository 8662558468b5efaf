import { toUSVString } from 'node:util';
import { eventSchema, type CustodyEvent } from '../../schemas/event.ts';
import { InputError } from '../../runtime/errors.ts';
import type { NormalizeContext } from '../normalize/context.ts';
import { redactText } from '../normalize/redact.ts';

/**
 * Takes a canonical event that a tap has made. It is believed no more than other input: strict schema, the token's
 * tenant over its own, and free text redacted again (redaction is idempotent, so a good tap changes nothing).
 */
export function acceptCanonicalEvent(value: unknown, context: NormalizeContext): CustodyEvent {
  const parsed = eventSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const path = issue?.path.map(String).join('.') ?? '';
    // zod's own messages may quote the value; the code and the path say enough.
    throw new InputError('input_invalid', `cannot accept the event: ${issue?.code ?? 'invalid'}`, { path });
  }
  const event = parsed.data;
  if (event.source.collector !== 'mcp_stdio_tap') {
    throw new InputError('input_invalid', 'cannot accept the event: only a tap may send canonical events', {
      path: 'source.collector',
    });
  }
  if (event.sealed !== undefined) {
    throw new InputError(
      'input_invalid',
      'cannot accept the event: fields are sealed by the collector alone',
      {
        path: 'sealed',
      },
    );
  }
  if (event.receipt !== undefined) {
    throw new InputError('input_invalid', 'cannot accept the event: receipts have an address of their own', {
      path: 'receipt',
    });
  }
  if (
    event.incident !== undefined ||
    event.policy_document !== undefined ||
    event.kind === 'incident' ||
    event.kind === 'policy_document'
  ) {
    throw new InputError(
      'input_invalid',
      "cannot accept the event: what people decide is not a tap's to say",
      {
        path: 'kind',
      },
    );
  }
  return redactFreeText(context.tenantPinned ? { ...event, tenant: context.tenant } : event);
}

function redactFreeText(event: CustodyEvent): CustodyEvent {
  const { arguments: args, result, policy, attributes, listed_tools: listed, change } = event;
  return {
    ...event,
    ...(args?.summary === undefined ? {} : { arguments: { ...args, summary: redacted(args.summary) } }),
    ...(result?.summary === undefined ? {} : { result: { ...result, summary: redacted(result.summary) } }),
    ...(policy?.reason === undefined ? {} : { policy: { ...policy, reason: redacted(policy.reason) } }),
    ...(listed === undefined ? {} : { listed_tools: redactedTools(listed) }),
    ...(change === undefined ? {} : { change: redactedChange(change) }),
    ...(attributes === undefined ? {} : { attributes: redactedAttributes(attributes) }),
  };
}

/** A replacement may be longer than what it replaces; the field's bound still holds. */
function redacted(text: string): string {
  return toUSVString(redactText(text).text.slice(0, Math.max(text.length, 64)));
}

function redactedTools(listed: NonNullable<CustodyEvent['listed_tools']>) {
  return Object.fromEntries(
    Object.entries(listed).map(([name, tool]) => [
      name,
      tool.description === undefined ? tool : { ...tool, description: redacted(tool.description) },
    ]),
  );
}

function redactedChange(change: NonNullable<CustodyEvent['change']>) {
  const { before, after } = change;
  return {
    ...change,
    ...(before === undefined ? {} : { before: redacted(before) }),
    ...(after === undefined ? {} : { after: redacted(after) }),
  };
}

function redactedAttributes(attributes: NonNullable<CustodyEvent['attributes']>) {
  return Object.fromEntries(
    Object.entries(attributes).map(([key, value]) => [
      key,
      typeof value === 'string' ? redacted(value) : value,
    ]),
  );
}
