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
export function splitToolName(raw: string, serverName: string | undefined, separator?: string): ToolName {
  if (raw.startsWith('mcp__')) {
    const end = raw.indexOf('__', 5);
    if (end > 5 && end + 2 < raw.length)
      return { name: raw.slice(end + 2), rawName: raw, serverName: raw.slice(5, end) };
  }
  if (serverName !== undefined && raw.length > serverName.length + 1 && raw.startsWith(serverName)) {
    const tail = raw.slice(serverName.length);
    const rest =
      separator !== undefined && tail.startsWith(separator)
        ? tail.slice(separator.length)
        : /^(?:__|[./:])(.+)$/s.exec(tail)?.[1];
    if (rest !== undefined && rest !== '') return { name: rest, rawName: raw, serverName: undefined };
  }
  return { name: raw, rawName: undefined, serverName: undefined };
}
