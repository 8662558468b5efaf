import type { DetectEvent } from '../detector.ts';
import { itemHash } from '../learning/item-hash.ts';

/**
 * Who sees what a server offers, as a hash: the agent, else the client with its user or place, else the session. Servers may
 * offer different tools to different users; `undefined` when nobody can be told from anybody.
 */
export function viewerOf({ event, session }: DetectEvent): number | undefined {
  const { actor, client } = event;
  const user = actor?.user_id ?? '';
  if (actor?.id !== undefined) return itemHash(`agent\n${actor.id}\n${user}`);
  const place = user === '' ? (client?.address ?? actor?.runtime_id) : user;
  if (client?.name !== undefined && place !== undefined) return itemHash(`client\n${client.name}\n${place}`);
  const key = event.session?.key ?? session.key;
  return key === '' ? undefined : itemHash(`session\n${key}`);
}
