import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TsaOptions {
  readonly key?: 'ec' | 'rsa' | 'short-rsa' | 'ed25519';
  /** An authority between the root and the signer, with these extensions in place of the usual ones. */
  readonly intermediate?: boolean | string;
  /** Validity of the signer: YYYYMMDDHHMMSSZ. */
  readonly notBefore?: string;
  readonly notAfter?: string;
  /** Extensions of the signer in place of the usual ones. */
  readonly extensions?: string;
  readonly signerDigest?: string;
  readonly essDigest?: 'sha1' | 'sha256' | 'sha512';
  readonly digests?: string;
}

/** A timestamp authority of openssl, with certificates of its own. */
export interface TestTsa {
  readonly rootPem: string;
  readonly intermediatePem: string;
  readonly signerPem: string;
  readonly rootFile: string;
  readonly signerFile: string;
  /** `openssl ts -reply`: the response to a request. */
  reply(request: Uint8Array): Buffer;
  /** A token of this content by `openssl cms`, which asks nothing of the signer's certificate; `flags` say more. */
  sign(content: Uint8Array, ...flags: readonly string[]): Buffer;
  /** `openssl ts -query`: a request over the message. */
  query(message: Uint8Array, ...flags: readonly string[]): Buffer;
  /** What `openssl ts -verify` says of a response or token over the message, under the root. */
  verify(message: Uint8Array, response: Uint8Array, isToken: boolean): boolean;
  remove(): void;
}

const TSA_EXTENSIONS = 'extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature';
const CA_EXTENSIONS = 'basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign';
const KEYS = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  rsa: ['-newkey', 'rsa:2048'],
  'short-rsa': ['-newkey', 'rsa:1024'],
  ed25519: ['-newkey', 'ed25519'],
} as const;

export function createTsa(options: TsaOptions = {}): TestTsa {
  const { key = 'ec', intermediate = false } = options;
  const folder = mkdtempSync(join(tmpdir(), 'custody-tsa-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const put = (name: string, content: string | Uint8Array) => writeFileSync(at(name), content);
  const pem = (name: string) => readFileSync(at(`${name}.pem`), 'utf8');
  put('index.txt', '');
  put('serial', '7f01\n');
  put('tsa-serial', '01\n');

  openssl(
    ...['req', '-x509', ...KEYS[key === 'short-rsa' ? 'rsa' : key], '-nodes', '-keyout', 'root.key'],
    ...['-out', 'root.pem', '-days', '3650', '-subj', '/CN=test root'],
  );
  const issue = (name: string, issuer: string, extensions: string, dates: readonly string[]) => {
    const kind = name === 'signer' ? KEYS[key] : KEYS.ec;
    openssl(
      ...[
        'req',
        ...kind,
        '-nodes',
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
        '-subj',
        `/CN=test ${name}`,
      ],
    );
    const digest = key === 'ed25519' ? 'null' : 'sha256';
    put(
      'ca.conf',
      [
        '[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\nunique_subject=no',
        `certificate=${issuer}.pem\nprivate_key=${issuer}.key\ndefault_md=${digest}\npolicy=p\nx509_extensions=x`,
        `[p]\ncommonName=supplied\n[x]\nsubjectKeyIdentifier=hash\n${extensions}\n`,
      ].join('\n'),
    );
    openssl(
      ...[
        'ca',
        '-batch',
        '-notext',
        '-config',
        'ca.conf',
        '-in',
        `${name}.csr`,
        '-out',
        `${name}.pem`,
        ...dates,
      ],
    );
  };
  if (intermediate !== false)
    issue('intermediate', 'root', intermediate === true ? CA_EXTENSIONS : intermediate, ['-days', '3650']);
  issue('signer', intermediate === false ? 'root' : 'intermediate', options.extensions ?? TSA_EXTENSIONS, [
    ...['-startdate', options.notBefore ?? '20200101000000Z'],
    ...['-enddate', options.notAfter ?? '20470101000000Z'],
  ]);
  put('chain.pem', intermediate === false ? pem('root') : pem('intermediate') + pem('root'));
  put(
    'tsa.conf',
    [
      '[tsa]\ndefault_tsa=t\n[t]\nserial=tsa-serial\nsigner_cert=signer.pem\nsigner_key=signer.key\ncerts=chain.pem',
      `signer_digest=${options.signerDigest ?? 'sha256'}\ndefault_policy=1.2.3.4.1\naccuracy=secs:1`,
      `digests=${options.digests ?? 'sha256, sha384, sha512'}\nordering=no\ntsa_name=yes\ness_cert_id_chain=no`,
      `ess_cert_id_alg=${options.essDigest ?? 'sha256'}\n`,
    ].join('\n'),
  );

  return {
    rootPem: pem('root'),
    intermediatePem: intermediate === false ? '' : pem('intermediate'),
    signerPem: pem('signer'),
    rootFile: at('root.pem'),
    signerFile: at('signer.pem'),
    reply(request) {
      put('request.tsq', request);
      openssl('ts', '-reply', '-config', 'tsa.conf', '-queryfile', 'request.tsq', '-out', 'response.tsr');
      return readFileSync(at('response.tsr'));
    },
    sign(content, ...flags) {
      put('content', content);
      const type = flags.includes('-econtent_type') ? [] : ['-econtent_type', 'id-smime-ct-TSTInfo'];
      openssl(
        ...['cms', '-sign', '-binary', '-nodetach', '-outform', 'DER', '-in', 'content', ...type],
        ...['-signer', 'signer.pem', '-inkey', 'signer.key', '-out', 'signed.der', ...flags],
      );
      return readFileSync(at('signed.der'));
    },
    query(message, ...flags) {
      put('message', message);
      openssl('ts', '-query', '-data', 'message', '-sha256', '-out', 'query.tsq', ...flags);
      return readFileSync(at('query.tsq'));
    },
    verify(message, response, isToken) {
      put('message', message);
      put('answer.tsr', response);
      try {
        openssl(
          ...['ts', '-verify', '-data', 'message', '-in', 'answer.tsr', ...(isToken ? ['-token_in'] : [])],
          ...['-CAfile', 'root.pem', '-untrusted', 'chain.pem'],
        );
        return true;
      } catch {
        return false;
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
