import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Identity } from './certificates.ts';
import { freePort } from './free-ports.ts';
import { killed, untilListening } from './receiver-process.ts';

export interface SyslogTls {
  readonly caFile: string;
  readonly identity: Identity;
  /** The one client name that may send; `undefined` = any client. */
  readonly clientName?: string;
}

export interface SyslogDaemonOptions {
  readonly tls?: SyslogTls;
  /** rsyslog tells the framings apart itself; syslog-ng must be told. Default: octet. */
  readonly framing?: 'octet' | 'lf';
}

export interface SyslogDaemon {
  readonly port: number;
  /** What it wrote, one object per message it took: the message text and the structured data, as it understood them. */
  received(): { readonly msg: string; readonly sd: string }[];
  /** Stops it where it is: it reads nothing more, its connections stay open. */
  freeze(): void;
  /** Ends it with the signal and waits until it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port with the same output file. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

const here = import.meta.dirname;
const installHint = 'run test/support/install-syslog.sh as root';

/** With CUSTODY_TEST_INSTALL=1, and on CI, missing receivers are installed; otherwise their tests are skipped. */
function installIfAsked(): void {
  if (process.env['CUSTODY_TEST_INSTALL'] !== '1' && process.env['CI'] === undefined) return;
  if (rsyslogBinary() !== undefined && syslogNgRoot() !== undefined) return;
  execFileSync('sh', [join(here, 'install-syslog.sh')], { stdio: 'inherit' });
}

const rsyslogBinary = () =>
  existsSync('/usr/sbin/rsyslogd') &&
  readdirSync('/usr/lib').some((arch) => existsSync(`/usr/lib/${arch}/rsyslog/lmnsd_gtls.so`))
    ? '/usr/sbin/rsyslogd'
    : undefined;

const syslogNgRoot = () =>
  [process.env['CUSTODY_SYSLOG_NG_ROOT'] ?? '/opt/custody-test/syslog-ng', '/'].find((root) =>
    existsSync(join(root, 'usr/sbin/syslog-ng')),
  );

export type DaemonName = 'rsyslog' | 'syslog-ng';

/** Why a receiver cannot be used here (also said on stderr), or `undefined`. */
export function daemonMissing(name: DaemonName): string | undefined {
  installIfAsked();
  const found = name === 'rsyslog' ? rsyslogBinary() : syslogNgRoot();
  if (found !== undefined) return undefined;
  const reason = `${name} not installed: ${installHint}`;
  // Reporters hide skipped tests of a file that passes; this line they show.
  process.stderr.write(`SKIPPED ${reason}\n`);
  return reason;
}

export async function startSyslogDaemon(
  name: DaemonName,
  options: SyslogDaemonOptions,
): Promise<SyslogDaemon> {
  const folder = mkdtempSync(join(tmpdir(), `custody-${name}-`));
  const output = join(folder, 'out.ndjson');
  writeFileSync(output, '');
  const port = await freePort();
  const config = join(folder, 'daemon.conf');
  writeFileSync(
    config,
    name === 'rsyslog'
      ? rsyslogConfig(folder, port, output, options.tls)
      : syslogNgConfig(port, output, options),
  );
  let child: ChildProcess | undefined;
  const daemon: SyslogDaemon = {
    port,
    received: () =>
      readFileSync(output, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as { msg: string; sd: string }),
    async start() {
      let complaints = '';
      child = name === 'rsyslog' ? spawnRsyslog(folder, config) : spawnSyslogNg(folder, config);
      child.stderr?.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
      await untilListening(port, () => (child?.exitCode == null ? undefined : complaints));
    },
    freeze: () => void child?.kill('SIGSTOP'),
    async kill(signal) {
      const dying = child;
      child = undefined;
      await killed(dying, signal);
    },
    async remove() {
      await daemon.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await daemon.start();
  return daemon;
}

function spawnRsyslog(folder: string, config: string): ChildProcess {
  rmSync(join(folder, 'daemon.pid'), { force: true });
  return spawn('/usr/sbin/rsyslogd', ['-n', '-f', config, '-i', join(folder, 'daemon.pid')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

function spawnSyslogNg(folder: string, config: string): ChildProcess {
  const root = syslogNgRoot() ?? '/';
  const libraries = join(root, 'usr/lib/syslog-ng');
  const version = readdirSync(libraries).find((entry) => /^\d/.test(entry)) ?? '';
  const arch = readdirSync(join(root, 'usr/lib')).find((entry) => entry.endsWith('-linux-gnu')) ?? '';
  const file = (suffix: string) => join(folder, `daemon.${suffix}`);
  return spawn(
    join(root, 'usr/sbin/syslog-ng'),
    [
      '-F',
      '--no-caps',
      '-e',
      `--module-path=${join(libraries, version)}`,
      '-f',
      config,
      '-p',
      file('pid'),
      '-R',
      file('persist'),
      '-c',
      file('ctl'),
    ],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        LD_LIBRARY_PATH: [libraries, join(root, 'usr/lib', arch), join(root, 'lib', arch)].join(':'),
      },
    },
  );
}

function rsyslogConfig(folder: string, port: number, output: string, tls: SyslogTls | undefined): string {
  const global = [
    `workDirectory="${folder}"`,
    'maxMessageSize="64k"',
    'parser.escapeControlCharactersOnReceive="off"',
    ...(tls === undefined
      ? []
      : [
          `defaultNetstreamDriverCAFile="${tls.caFile}"`,
          `defaultNetstreamDriverCertFile="${tls.identity.certFile}"`,
          `defaultNetstreamDriverKeyFile="${tls.identity.keyFile}"`,
        ]),
  ];
  const auth =
    tls?.clientName === undefined
      ? 'StreamDriver.AuthMode="anon"'
      : `StreamDriver.AuthMode="x509/name" PermittedPeer=["${tls.clientName}"]`;
  return [
    `global(${global.join(' ')})`,
    tls === undefined
      ? 'module(load="imtcp")'
      : `module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" ${auth})`,
    'template(name="out" type="list" option.jsonf="on") {',
    '  property(outname="msg" name="msg" format="jsonf")',
    '  property(outname="sd" name="structured-data" format="jsonf")',
    '}',
    `input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="all")`,
    `ruleset(name="all") { action(type="omfile" file="${output}" template="out" asyncWriting="off") }`,
    '',
  ].join('\n');
}

function syslogNgConfig(port: number, output: string, { tls, framing }: SyslogDaemonOptions): string {
  const verify = tls?.clientName === undefined ? 'optional-untrusted' : 'required-trusted';
  const transport =
    tls === undefined
      ? 'transport("tcp")'
      : `transport("tls") tls(key-file("${tls.identity.keyFile}") cert-file("${tls.identity.certFile}") ca-file("${tls.caFile}") peer-verify(${verify}))`;
  // Only network() reads line framing; syslog() hangs up on it.
  const driver = framing === 'lf' ? 'network(flags(syslog-protocol)' : 'syslog(';
  return [
    '@version: 3.38',
    'options { log-msg-size(65536); flush-lines(1); keep-hostname(yes); use-dns(no); stats-freq(0); };',
    `source s { ${driver} ip("127.0.0.1") port(${port}) ${transport}); };`,
    `destination d { file("${output}" template("$(format-json msg=$MSG sd=$SDATA)\\n")); };`,
    'log { source(s); destination(d); };',
    '',
  ].join('\n');
}
