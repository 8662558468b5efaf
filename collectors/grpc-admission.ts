import { ServerInterceptingCall, type Metadata, type ServerInterceptor } from '@grpc/grpc-js';
import { TransientError } from '../runtime/errors.ts';
import type { Sender } from './admission.ts';
import type { GrpcRefusal } from './grpc-status.ts';

export interface GrpcAdmissionOptions {
  /** Throws for a caller that must not come in. */
  readonly admit: (authorization: string | undefined, address: string) => Sender;
  /** Calls whose message is still coming in; each may hold a whole message in memory. */
  readonly readingCallsMax: number;
  readonly onAdmitted: (metadata: Metadata, sender: Sender) => void;
  readonly refuse: (error: unknown) => GrpcRefusal;
}

/** Decides on a call by its metadata, before a byte of its message is read. */
export function grpcAdmission(options: GrpcAdmissionOptions): ServerInterceptor {
  let readingCount = 0;
  return (_method, call) => {
    let reading = false;
    const doneReading = () => {
      if (reading) readingCount--;
      reading = false;
    };
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next({
          onReceiveMetadata(metadata, nextMetadata) {
            try {
              if (readingCount >= options.readingCallsMax) throw tooManyCalls();
              options.onAdmitted(
                metadata,
                options.admit(authorizationOf(metadata), addressOf(call.getPeer())),
              );
            } catch (error) {
              call.sendStatus(options.refuse(error));
              return;
            }
            reading = true;
            readingCount++;
            nextMetadata(metadata);
          },
          onReceiveMessage(message, nextMessage) {
            doneReading();
            nextMessage(message);
          },
          onCancel: doneReading,
        });
      },
      // A message over the size limit ends the call from inside, without onReceiveMessage.
      sendStatus: (result, next) => {
        doneReading();
        next(result);
      },
    });
  };
}

function tooManyCalls(): TransientError {
  return new TransientError('overloaded', 'cannot take the request: too many calls at a time', {
    retryAfterMs: 1000,
  });
}

function authorizationOf(metadata: Metadata): string | undefined {
  const value = metadata.get('authorization')[0];
  return typeof value === 'string' ? value : undefined;
}

/** The peer without its port, which changes with every connection. */
function addressOf(peer: string): string {
  return peer.slice(0, Math.max(0, peer.lastIndexOf(':')));
}
