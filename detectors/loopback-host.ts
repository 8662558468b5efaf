/** The host of `host`, `host:port`, `[v6]:port` or a bare IPv6 address; lower case. Hostile text: whatever it is comes back as text. */
export function hostOf(authority: string): string {
  const text = authority.trim().toLowerCase();
  const bracketed = /^\[([0-9a-f:.]*)(?:%[^\]]*)?\]/.exec(text);
  if (bracketed !== null) return bracketed[1] ?? '';
  // More than one colon: an IPv6 address without a port.
  if (text.indexOf(':') !== text.lastIndexOf(':')) return text.replace(/%.*$/, '');
  return text.replace(/\/.*$/, '').replace(/:\d*$/, '').replace(/\.$/, '');
}

/** Names and addresses that lead to the same machine wherever they are looked up. */
export function isLoopbackHost(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  if (/^127(\.\d{1,3}){3}$/.test(host)) return true;
  return host === '::1' || host === '0:0:0:0:0:0:0:1' || /^::ffff:127(\.\d{1,3}){3}$/.test(host);
}

/** Every address of the machine. */
export function isWildcardAddress(host: string): boolean {
  return host === '' || host === '*' || host === '0.0.0.0' || host === '::' || host === '0:0:0:0:0:0:0:0';
}
