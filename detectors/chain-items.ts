import type { CallFacts } from './detector.ts';
import { itemHash, pairHash } from './learning/item-hash.ts';

/** What can be new about a call at the end of a chain. The values are part of item hashes. */
export const chainClass = { tool: 1, bigram: 2, pair: 3, destination: 4, toolDestination: 5 } as const;
export type ChainClass = (typeof chainClass)[keyof typeof chainClass];
export const chainClasses = Object.values(chainClass);

/** The last distinct tools of a session, oldest first: what a call can be combined with. */
export interface ChainContext {
  readonly tools: { readonly hash: number; readonly key: string; readonly eventId: string }[];
}

export const maxContextTools = 12;

export interface ChainItem {
  readonly itemClass: ChainClass;
  readonly hash: number;
  /** The other end: an earlier tool of the session, or a destination. */
  readonly other?: string;
  readonly evidence?: string;
}

/**
 * The tool itself and, when the call has consequences, its step from the previous tool and its combination with each
 * earlier tool of the session: nobody needs to know in which order things were only read.
 */
export function chainItems(toolHash: number, context: ChainContext, consequential: boolean): ChainItem[] {
  const items: ChainItem[] = [{ itemClass: chainClass.tool, hash: toolHash }];
  if (!consequential) return items;
  const { tools } = context;
  for (let index = 0; index < tools.length; index += 1) {
    const earlier = tools[index];
    if (earlier === undefined || earlier.hash === toolHash) continue;
    const from = { other: earlier.key, evidence: earlier.eventId };
    if (index === tools.length - 1)
      items.push({
        itemClass: chainClass.bigram,
        hash: pairHash(chainClass.bigram, earlier.hash, toolHash),
        ...from,
      });
    items.push({
      itemClass: chainClass.pair,
      hash: pairHash(chainClass.pair, earlier.hash, toolHash),
      ...from,
    });
  }
  return items;
}

export function destinationItems(destinations: readonly string[], toolHash: number): ChainItem[] {
  return destinations.flatMap((name) => {
    const hash = itemHash(name);
    return [
      { itemClass: chainClass.destination, hash: pairHash(chainClass.destination, hash, 0), other: name },
      {
        itemClass: chainClass.toolDestination,
        hash: pairHash(chainClass.toolDestination, toolHash, hash),
        other: name,
      },
    ];
  });
}

/** Moves the tool to the newest place. */
export function extendContext(context: ChainContext, hash: number, call: CallFacts): void {
  const { tools } = context;
  const at = tools.findIndex((tool) => tool.hash === hash);
  if (at >= 0) tools.splice(at, 1);
  tools.push({ hash, key: call.toolKey, eventId: call.eventId });
  if (tools.length > maxContextTools) tools.shift();
}
