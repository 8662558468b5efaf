import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { cliPath } from '../test/support/pipeline-process.ts';
import type { Attack } from './otel-agents.ts';

export interface McpOptions {
  readonly collector: string;
  readonly dataDir: string;
  readonly workDir: string;
}

export interface McpPlay {
  readonly calls: number;
  readonly servers: readonly string[];
  /** The runaway agent: the same call again and again. */
  loop(): Promise<Attack>;
}

const require = createRequire(import.meta.url);
const serverScript = (name: string) =>
  join(dirname(require.resolve(`@modelcontextprotocol/${name}/package.json`)), 'dist', 'index.js');

/** Real servers from npm behind `custody tap`, driven by the official client; a session each. */
export async function playMcpServers(options: McpOptions): Promise<McpPlay> {
  const files = join(options.workDir, 'files');
  mkdirSync(files, { recursive: true });
  for (let n = 0; n < 5; n++) writeFileSync(join(files, `note-${n}.txt`), `note ${n}\n`.repeat(10 + n));

  const connect = async (server: string, session: string, args: readonly string[]) => {
    const tap = [
      'tap',
      '--server',
      server,
      '--actor',
      'desktop-agent',
      '--session',
      session,
      '--collector',
      options.collector,
      '--data-dir',
      options.dataDir,
    ];
    const client = new Client({ name: 'custody-demo', version: '1.0.0' });
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: [cliPath, ...tap, '--', process.execPath, ...args],
        stderr: 'ignore',
      }),
    );
    return client;
  };
  const plays: Readonly<Record<string, (client: Client) => Promise<number>>> = {
    filesystem: async (client) => {
      await client.listTools();
      await client.callTool({ name: 'list_directory', arguments: { path: files } });
      for (let n = 0; n < 3; n++)
        await client.callTool({ name: 'read_text_file', arguments: { path: join(files, `note-${n}.txt`) } });
      return 4;
    },
    memory: async (client) => {
      await client.listTools();
      await client.callTool({
        name: 'create_entities',
        arguments: { entities: [{ name: 'Custody', entityType: 'product', observations: ['audits'] }] },
      });
      await client.callTool({ name: 'read_graph', arguments: {} });
      return 2;
    },
    everything: async (client) => {
      await client.listTools();
      await client.callTool({ name: 'echo', arguments: { message: 'hello' } });
      await client.callTool({ name: 'get-sum', arguments: { a: 2, b: 3 } });
      return 2;
    },
  };
  const argumentsOf: Readonly<Record<string, readonly string[]>> = {
    filesystem: [serverScript('server-filesystem'), files],
    memory: [serverScript('server-memory')],
    everything: [serverScript('server-everything')],
  };
  let calls = 0;
  for (const [server, play] of Object.entries(plays)) {
    const client = await connect(server, `${server}-1`, argumentsOf[server] ?? []);
    calls += await play(client);
    await client.close();
  }
  return {
    calls,
    servers: Object.keys(plays),
    async loop() {
      const client = await connect('filesystem', 'attack-loop', argumentsOf['filesystem'] ?? []);
      for (let n = 0; n < 8; n++)
        await client.callTool({ name: 'read_text_file', arguments: { path: join(files, 'note-0.txt') } });
      await client.close();
      return {
        detector: 'loop',
        session: 'attack-loop',
        story: 'the same call with the same arguments eight times (real server, through the tap)',
      };
    },
  };
}
