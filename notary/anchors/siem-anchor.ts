import { hostname } from 'node:os';
import { formatNote } from '../../evidence/note/note.ts';
import type { Clock } from '../../runtime/clock.ts';
import { PermanentError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { AnchorConfigOf } from '../../schemas/config/anchors.ts';
import {
  frameSyslog,
  HOSTNAME_MAX_CHARS,
  paramChar,
  printable,
  syslogTime,
} from '../../sinks/siem/syslog/encode.ts';
import { readEndpoint } from '../../sinks/siem/syslog/endpoint.ts';
import { createSyslogSender } from '../../sinks/siem/syslog/sender.ts';
import type { Anchor, AnchoredCheckpoint } from '../anchor.ts';
import { createTurn } from './in-turn.ts';

/** RFC 5424 §6.2.1: a normal but significant event. */
const NOTICE = 5;

/**
 * A syslog receiver, which most SIEMs have: one RFC 5424 message for each checkpoint.
 *
 *     <PRI>1 TIME HOST custody - checkpoint [checkpoint@PEN origin="…" size="…" root="hex" key="key id"] base64 of the note
 *
 * Syslog acknowledges nothing: a resolved `publish` means that the kernel took the bytes and the connection stayed up for
 * a moment. What the receiver kept is read there, so there is no `latest`.
 * @throws ConfigError
 */
export function openSiemAnchor(
  config: AnchorConfigOf<'siem'>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Anchor {
  const { id, host, port, framing, message_max_bytes } = config;
  const endpoint = readEndpoint(config, `notary.anchors.${id}`);
  const place = `syslog ${host}:${port}`;
  const inTurn = createTurn();
  const closing = new AbortController();
  const sender = createSyslogSender({
    endpoint: () => endpoint,
    clock,
    onResend: (frames) =>
      logger.warn({ anchor: id, frames }, 'syslog connection was lost; sending the latest checkpoints again'),
  });
  return {
    id,
    type: 'siem',
    async publish(checkpoint) {
      const message = messageOf(checkpoint, config);
      if (Buffer.byteLength(message) > message_max_bytes) {
        const key = `notary.anchors.${id}.message_max_bytes`;
        throw new PermanentError(
          'rejected',
          `cannot send checkpoint to ${place}: its message is longer than ${key}`,
        );
      }
      await inTurn(() => sender.send([frameSyslog(message, framing)], closing.signal));
      return { type: 'place', place };
    },
    close() {
      closing.abort();
      return inTurn(() => sender.close());
    },
  };
}

function messageOf(checkpoint: AnchoredCheckpoint, config: AnchorConfigOf<'siem'>): string {
  const { origin, size, root, timeMs, note } = checkpoint;
  const parameters = {
    origin,
    size: size.toString(),
    root: Buffer.from(root).toString('hex'),
    key: note.signatures[0]?.keyId ?? '',
  };
  const data = Object.entries(parameters).map(
    ([name, value]) => `${name}="${Array.from(value, paramChar).join('')}"`,
  );
  const head = [
    `<${config.facility * 8 + NOTICE}>1`,
    syslogTime(timeMs),
    printable(hostname(), HOSTNAME_MAX_CHARS),
    'custody - checkpoint',
    `[checkpoint@${config.enterprise_number} ${data.join(' ')}]`,
  ];
  return `${head.join(' ')} ${Buffer.from(formatNote(note)).toString('base64')}`;
}
