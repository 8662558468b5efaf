import type { Anchor } from '../anchor.ts';
import { type Held, isHeld } from './held.ts';

/**
 * Refuses what is not larger than the last checkpoint an anchor was given, whether or not it took it: anchors that cannot
 * be read, or that leave some out, would not notice. Hands on notes with the log's own signatures alone.
 */
export function neverBack(anchor: Anchor): Anchor {
  const given = new Map<string, Pick<Held, 'size' | 'root'>>();
  return {
    ...anchor,
    async publish(checkpoint) {
      const { origin, size, root, note } = checkpoint;
      isHeld(`anchor ${anchor.id}`, given.get(origin), checkpoint);
      given.set(origin, { size, root });
      const signatures = note.signatures.filter(({ name }) => name === origin);
      return anchor.publish({ ...checkpoint, note: { text: note.text, signatures } });
    },
  };
}
