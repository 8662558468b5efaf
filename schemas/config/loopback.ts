/** Host names and addresses that never leave this machine. */
export const LOOPBACK = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|\[::1\]|localhost)$/;

/** Why a URL is not one to send to under promise P8; `undefined` when it is. */
export function whyNotUrl(url: string, isWithoutTlsAllowed: boolean): string | undefined {
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '') return 'it holds a credential';
  if (protocol === 'https:') return undefined;
  if (protocol !== 'http:') return 'it must begin with https://';
  if (isWithoutTlsAllowed || LOOPBACK.test(hostname)) return undefined;
  return 'it is not loopback, so it must begin with https:// (or set dangerously_without_tls: true)';
}
