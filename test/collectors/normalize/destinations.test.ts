import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { findDestinations, hostOf } from '../../../collectors/normalize/destinations.ts';
import { limits } from '../../../schemas/event/limits.ts';

const key = Buffer.alloc(32, 7);
const find = (text: string) => {
  const found = new Set<string>();
  findDestinations(text, key, found);
  return [...found];
};

describe('findDestinations', () => {
  it.each<[string, string[]]>([
    ['fetch https://API.Example.com:8443/v1/a.b.com?q=1#x', ['api.example.com']],
    ['https://user:pass@host.example.net/path', ['host.example.net']],
    ['http://localhost:3000 and http://intranet/x', ['localhost', 'intranet']],
    ['http://[2001:DB8::1]:80/x', ['2001:db8::1']],
    ['curl 169.254.169.254/latest/meta-data', ['169.254.169.254']],
    ['http://2852039166/', ['2852039166']],
    ['https://bücher.example/a', ['xn--bcher-kva.example']],
    ['see example.com, then www.foo.md.', ['example.com', 'www.foo.md']],
    ['https://x.sh/install.sh and ftp://files.zip/a', ['x.sh', 'files.zip']],
    ['a https://a.com/r?next=https://b.com/x b', ['a.com', 'b.com']],
    ['"line\\nexample.org"', ['example.org']],
    ['https://example.com. https://example.com', ['example.com']],
    ['first.com http://second.net/ third.org', ['first.com', 'second.net', 'third.org']],
    ['https://a.com,https://b.com', ['a.com', 'b.com']],
  ])('finds the hosts in "%s"', (text, hosts) => {
    expect(find(text)).toEqual(hosts);
  });

  it.each([
    'notes.txt and package.json and main.rs, setup.py, README.md, run.sh, data.zip',
    'user.name and obj.id and foo.bar() and e.g. this',
    'version 1.2.3 of 4.5.6.789 and 300.1.1.1',
    '/home/alice/example.com/x and src/app.dev',
    'console.log(example.com())',
    'The end.To be continued.It is',
    '3.14159 and 1,234.56',
    '@scope/package and @mention',
  ])('takes nothing in "%s" for a host', (text) => {
    expect(find(text)).toEqual([]);
  });

  it('keeps the domain of an e-mail address and a keyed digest of the person', () => {
    const [found] = find('send to Alice.Smith@Example.COM please');
    expect(found).toMatch(/^[0-9a-f]{16}@example\.com$/);
    expect(find('alice.smith@example.com')).toEqual([found]);
    expect(find('bob@example.com')).not.toEqual([found]);
  });

  it('gives another digest under another key', () => {
    const other = new Set<string>();
    findDestinations('alice@example.com', Buffer.alloc(32, 8), other);
    expect([...other]).not.toEqual(find('alice@example.com'));
  });

  it('stops at the bound of an event and takes each once', () => {
    const many = Array.from({ length: 100 }, (_, index) => `h${index}.com h${index}.com`).join(' ');
    expect(find(many)).toHaveLength(limits.destinations);
  });

  it.each(['a.', '.', '@', 'a@', '://', 'a@b.', 'a.com(', 'é.', '://a', '\\', 'a.b@'])(
    'takes time in proportion to a hostile run of %j',
    (piece) => {
      const text = piece.repeat(1_000_000 / piece.length);
      const start = process.cpuUsage();
      find(text);
      const { user, system } = process.cpuUsage(start);
      expect((user + system) / 1000).toBeLessThan(3000);
    },
  );

  it('gives only names an event can hold, from any text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', '.', '@', '://', 'com', 'ü', '[', ']', ':', '1', '-', ' ', '%'), {
          maxLength: 30,
        }),
        (parts) => {
          for (const host of find(parts.join(''))) expect(host).toMatch(/^[a-z0-9:._@-]{1,256}$/);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('hostOf', () => {
  it.each<[string, string | undefined]>([
    ['https://a.example.com:1/x', 'a.example.com'],
    ['files.internal:443', 'files.internal'],
    ['files', 'files'],
    ['', undefined],
    ['https://', undefined],
    ['a b', 'a'],
  ])('reads %j as %j', (text, host) => {
    expect(hostOf(text)).toBe(host);
  });
});
