export interface ToolName {
  readonly name: string;
  /** As received, when it differs. */
  readonly rawName: string | undefined;
  /** The server an `mcp__server__tool` name gives. */
  readonly serverName: string | undefined;
}

/**
 * Takes off the prefix an aggregator or agent puts before a tool's name: `mcp__server__tool` always, and
 * `server__tool`, `server.tool`, `server/tool`, `server:tool` when the server is known by that name. Not `server_tool`: servers name their own
 * tools so (`git_status` of `git`).
 */
export function splitToolName(raw: string, serverName: string | undefined): ToolName {
  if (raw.startsWith('mcp__')) {
    const separator = raw.indexOf('__', 5);
    if (separator > 5 && separator + 2 < raw.length)
      return { name: raw.slice(separator + 2), rawName: raw, serverName: raw.slice(5, separator) };
  }
  if (serverName !== undefined && raw.length > serverName.length + 1 && raw.startsWith(serverName)) {
    const rest = /^(?:__|[./:])(.+)$/s.exec(raw.slice(serverName.length))?.[1];
    if (rest !== undefined) return { name: rest, rawName: raw, serverName: undefined };
  }
  return { name: raw, rawName: undefined, serverName: undefined };
}
