/** Frames that went out lately, for sending them again when the connection they went out on dies. */
export interface ResendWindow {
  add(frame: Buffer, nowMs: number): void;
  /** The frames still inside the window, oldest first. */
  recent(nowMs: number): readonly Buffer[];
}

export interface ResendWindowLimits {
  readonly maxAgeMs: number;
  readonly maxCount: number;
  readonly maxBytes: number;
}

/**
 * Syslog has no acknowledgement: when a connection dies, frames in the buffers of both kernels and of the receiver
 * are lost and nobody can say which. Sending the last ones again narrows that hole at the price of duplicates, which
 * carry the same uid. It does not close it.
 */
export function createResendWindow(limits: ResendWindowLimits): ResendWindow {
  let held: { readonly frame: Buffer; readonly atMs: number }[] = [];
  let heldBytes = 0;
  const trim = (nowMs: number) => {
    let gone = 0;
    for (const { frame, atMs } of held) {
      const tooMany = held.length - gone > limits.maxCount || heldBytes > limits.maxBytes;
      if (!tooMany && nowMs - atMs <= limits.maxAgeMs) break;
      heldBytes -= frame.length;
      gone += 1;
    }
    if (gone > 0) held = held.slice(gone);
  };
  return {
    add(frame, nowMs) {
      held.push({ frame, atMs: nowMs });
      heldBytes += frame.length;
      // Trimmed in steps, so that a long burst does not copy the list for every frame.
      if (held.length > 2 * limits.maxCount || heldBytes > 2 * limits.maxBytes) trim(nowMs);
    },
    recent(nowMs) {
      trim(nowMs);
      return held.map(({ frame }) => frame);
    },
  };
}
