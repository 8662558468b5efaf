import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const here = import.meta.dirname;
const PLACES = ['/usr/bin/chromium', '/usr/bin/google-chrome', '/opt/google/chrome/chrome'];

interface Found {
  readonly executable: string;
  /** Where its libraries are, when it lies unpacked beside the system. */
  readonly libraries?: string;
}

function installed(): Found | undefined {
  const named = process.env['CUSTODY_TEST_CHROMIUM'] ?? '';
  if (named !== '') return { executable: named };
  const root =
    process.env['CUSTODY_CHROMIUM_ROOT'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'custody-test/chromium');
  const unpacked = join(root, 'usr/lib/chromium/chromium');
  if (existsSync(unpacked)) {
    const arch = readdirSync(join(root, 'usr/lib')).find((entry) => entry.endsWith('-linux-gnu')) ?? '';
    const folders = [`usr/lib/${arch}`, `lib/${arch}`, `usr/lib/${arch}/pulseaudio`];
    return { executable: unpacked, libraries: folders.map((folder) => join(root, folder)).join(':') };
  }
  const place = PLACES.find((path) => existsSync(path));
  return place === undefined ? undefined : { executable: place };
}

/**
 * Why no browser can be started here (also said on stderr), or `undefined`. With CUSTODY_TEST_INSTALL=1, and on CI, a
 * missing one is fetched first.
 */
export function whyNoChromium(): string | undefined {
  if (
    installed() === undefined &&
    (process.env['CUSTODY_TEST_INSTALL'] === '1' || process.env['CI'] !== undefined)
  ) {
    try {
      execFileSync('sh', [join(here, 'install-chromium.sh')], { stdio: 'inherit', timeout: 300_000 });
    } catch {
      // Said below, like any other machine without one.
    }
  }
  if (installed() !== undefined) return undefined;
  const reason = 'no Chromium: run test/support/install-chromium.sh, or set CUSTODY_TEST_CHROMIUM';
  // Reporters hide skipped tests of a file that passes; this line they show.
  process.stderr.write(`SKIPPED ${reason}\n`);
  return reason;
}

/**
 * A headless browser that reaches no network: every name fails to resolve and every address is given to a proxy that is
 * not there. Pages come from `file:` or `setContent`. The caller closes it.
 */
export async function startChromium(): Promise<Browser> {
  const found = installed();
  if (found === undefined) throw new Error('no Chromium here: ask whyNoChromium() first');
  return chromium.launch({
    executablePath: found.executable,
    headless: true,
    chromiumSandbox: process.getuid?.() !== 0,
    args: ['--disable-gpu', '--host-resolver-rules=MAP * ~NOTFOUND', '--proxy-server=127.0.0.1:9'],
    env: {
      ...process.env,
      ...(found.libraries === undefined ? {} : { LD_LIBRARY_PATH: found.libraries }),
    },
  });
}
