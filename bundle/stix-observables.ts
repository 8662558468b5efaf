import { isIP, isIPv4 } from 'node:net';
import { wellFormedText } from './stix-text.ts';
import { observableId } from './stix-ids.ts';

/** An object of a STIX bundle; keys as the standard has them. */
export type StixObject = Readonly<Record<string, unknown>> & { readonly type: string; readonly id: string };

const observable = (type: string, properties: Readonly<Record<string, string>>): StixObject => ({
  type,
  spec_version: '2.1',
  id: observableId(type, properties),
  ...properties,
});

/** Letters, digits, hyphens and dots, with at least one letter: what DNS can hold. */
const HOST_NAME =
  /^(?=.{1,253}$)(?=.*[a-z])[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** A destination of a call as an address, a domain name or a URL; `undefined` for text that is none of them. */
export function destinationObject(destination: string): StixObject | undefined {
  const value = destination.replace(/^\[(.*)\]$/, '$1');
  if (isIP(value) !== 0) return observable(isIPv4(value) ? 'ipv4-addr' : 'ipv6-addr', { value });
  if (HOST_NAME.test(value)) return observable('domain-name', { value });
  return /^https?:\/\/[\x21-\x7e]+$/.test(value) ? observable('url', { value }) : undefined;
}

/** What matches the destination, as a STIX pattern. */
export function destinationPattern({ type, ...rest }: StixObject): string {
  const value = typeof rest['value'] === 'string' ? rest['value'] : '';
  return `[${type}:value = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}']`;
}

/** An MCP server or, with its server before it, a tool. */
export const softwareObject = (name: string, version: string | undefined): StixObject =>
  observable('software', {
    name: wellFormedText(name),
    ...(version === undefined ? {} : { version: wellFormedText(version) }),
  });

/** The human on whose behalf, or the account that acted. */
export const userObject = (userId: string): StixObject =>
  observable('user-account', { user_id: wellFormedText(userId) });
