import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createIngestGrpc, type IngestGrpc } from '../../collectors/ingest-grpc.ts';
import { createIngestHttp, type IngestHttp } from '../../collectors/ingest-http.ts';
import { verifies } from '../requirements.ts';
import { testIngest, type TestIngest } from '../support/ingest-deps.ts';

const TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
let directory: string;
let ingest: TestIngest | undefined;
let http: IngestHttp | undefined;
let grpc: IngestGrpc | undefined;
const path = (name: string) => join(directory, name);

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'custody-tls-'));
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-days',
    '2',
    '-subj',
    '/CN=test-ca',
  );
  for (const name of ['server', 'client']) {
    const san = ['-addext', 'subjectAltName=IP:127.0.0.1'];
    openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`, ...san);
    const signed = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-copy_extensions', 'copyall'];
    openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, '-days', '2', ...signed);
  }
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

afterEach(async () => {
  await http?.stop();
  await grpc?.stop();
  await ingest?.close();
  http = grpc = ingest = undefined;
});

async function prepare(clientCa: boolean, certFile = 'server.crt'): Promise<TestIngest> {
  const tls = {
    cert_file: path(certFile),
    key_file: path('server.key'),
    ...(clientCa ? { client_ca_file: path('ca.crt') } : {}),
  };
  ingest = await testIngest({ http: { port: 0, tls }, grpc: { port: 0, tls } });
  return ingest;
}

const client = () => ({ cert: readFileSync(path('client.crt')), key: readFileSync(path('client.key')) });

function postTo(port: number, withCertificate: boolean): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path: '/v1/traces',
      method: 'POST',
      ca: readFileSync(path('ca.crt')),
    };
    const headers = { 'content-type': 'application/x-protobuf' };
    const sent = request(
      { ...options, headers, agent: false, ...(withCertificate ? client() : {}) },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

function exportTo(port: number, withCertificate: boolean): Promise<number> {
  const ca = readFileSync(path('ca.crt'));
  const { cert, key } = client();
  const secure = withCertificate ? credentials.createSsl(ca, key, cert) : credentials.createSsl(ca);
  const caller = new Client(`127.0.0.1:${port}`, secure);
  const pass = (bytes: Buffer) => bytes;
  return new Promise<number>((resolve, reject) => {
    const deadline = { deadline: Date.now() + 3000 };
    caller.makeUnaryRequest(TRACES, pass, pass, Buffer.alloc(0), deadline, (error, answer) => {
      if (error === null) resolve(answer!.length);
      else reject(error);
    });
  }).finally(() => caller.close());
}

describe('listeners with TLS', () => {
  it('serve senders that trust the certificate', async () => {
    verifies('P8');
    const { deps } = await prepare(false);
    await (http = createIngestHttp(deps)).start();
    await (grpc = createIngestGrpc(deps)).start();
    expect(await postTo(http.address().port, false)).toBe(200);
    expect(await exportTo(grpc.address().port, false)).toBe(0);
  });

  it('ask for a client certificate when an authority for them is configured', async () => {
    verifies('P8');
    const { deps } = await prepare(true);
    await (http = createIngestHttp(deps)).start();
    await (grpc = createIngestGrpc(deps)).start();
    expect(await postTo(http.address().port, true)).toBe(200);
    expect(await exportTo(grpc.address().port, true)).toBe(0);
    await expect(postTo(http.address().port, false)).rejects.toThrow();
    await expect(exportTo(grpc.address().port, false)).rejects.toThrow();
  });

  it('name the file that cannot be read', async () => {
    const { deps } = await prepare(false, 'missing.crt');
    await expect(createIngestHttp(deps).start()).rejects.toMatchObject({
      code: 'config_invalid',
      path: 'ingest.http.tls.cert_file',
    });
    await expect(createIngestGrpc(deps).start()).rejects.toMatchObject({ path: 'ingest.grpc.tls.cert_file' });
  });
});
