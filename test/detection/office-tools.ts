/** What the people of the office have registered. */
export const officeRegistry = {
  version: 1,
  zones: [
    { name: 'inside', trust: 'internal' },
    { name: 'desk', trust: 'vendor' },
    { name: 'outside', trust: 'external' },
  ],
  servers: [
    {
      name: 'desk',
      zone: 'desk',
      tools: [
        { name: 'read_ticket', read_only: true, open_world: true },
        { name: 'write_note', read_only: false, open_world: false },
        { name: 'read_note', read_only: true, open_world: false },
      ],
    },
    {
      name: 'wiki',
      zone: 'inside',
      tools: [{ name: 'search_docs', read_only: true, open_world: false }],
    },
    {
      name: 'files',
      zone: 'inside',
      tools: [{ name: 'read_file', read_only: true, open_world: false, data_classes: ['customer'] }],
    },
    {
      name: 'mail',
      zone: 'outside',
      tools: [{ name: 'send_mail', read_only: false, egress: true, open_world: true }],
    },
    {
      name: 'web',
      zone: 'outside',
      tools: [
        { name: 'fetch_page', read_only: true, open_world: true },
        { name: 'post_form', read_only: false, egress: true, open_world: true },
      ],
    },
  ],
};

/** The registry with one tool registered otherwise. */
export function registeredAs(name: string, change: Readonly<Record<string, unknown>>): object {
  return {
    ...officeRegistry,
    servers: officeRegistry.servers.map((server) => ({
      ...server,
      tools: server.tools.map((tool) => (tool.name === name ? { ...tool, ...change } : tool)),
    })),
  };
}

interface ListedTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: object;
}

const text = { type: 'string' };
const listed = (name: string, description: string, ...members: readonly string[]): ListedTool => ({
  name,
  description,
  inputSchema: { type: 'object', properties: Object.fromEntries(members.map((member) => [member, text])) },
});

const TOOLS: Readonly<Record<string, readonly ListedTool[]>> = {
  desk: [
    listed('read_ticket', 'Reads a ticket of a customer.', 'id'),
    listed('write_note', 'Writes a note to a ticket.', 'id', 'note'),
    listed('read_note', 'Reads the notes of a ticket.', 'id'),
  ],
  wiki: [listed('search_docs', 'Searches the handbook.', 'query')],
  files: [listed('read_file', 'Reads a file of the office.', 'path')],
  mail: [listed('send_mail', 'Sends a mail.', 'to', 'subject', 'body')],
  web: [
    listed('fetch_page', 'Fetches a web page.', 'url'),
    listed('post_form', 'Posts a form.', 'url', 'body'),
  ],
};

/** What a server lists. One that has given its mail tool another name lists that. */
export function toolsOf(server: string, called: string): readonly ListedTool[] {
  const tools = TOOLS[server] ?? [];
  if (tools.some(({ name }) => name === called)) return tools;
  return [{ ...listed(called, 'Sends a mail.', 'to', 'subject', 'body') }, ...tools.slice(1)];
}
