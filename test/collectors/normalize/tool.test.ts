import { describe, expect, it } from 'vitest';
import { classifyAction } from '../../../collectors/normalize/action-class.ts';
import { splitToolName } from '../../../collectors/normalize/tool-name.ts';

describe('splitToolName', () => {
  it.each([
    ['mcp__github__create_issue', undefined, 'create_issue', 'github'],
    ['mcp__my_server__a__b', undefined, 'a__b', 'my_server'],
    ['github__create_issue', 'github', 'create_issue', undefined],
    ['crm.bulk_update', 'crm', 'bulk_update', undefined],
    ['crm/lead', 'crm', 'lead', undefined],
  ])('takes the prefix off %s (server %s)', (raw, server, name, found) => {
    expect(splitToolName(raw, server)).toEqual({ name, rawName: raw, serverName: found });
  });
  it.each([
    ['git_status', 'git'],
    ['crm.bulk_update', undefined],
    ['github__x', undefined],
    ['mcp__', undefined],
    ['mcp__x', undefined],
    ['mcp____x', undefined],
    ['crm.', 'crm'],
    ['crm', 'crm'],
    ['crmx.y', 'crm'],
    ['gw-search', 'gw'],
  ])('leaves %s (server %s) as it is', (raw, server) => {
    expect(splitToolName(raw, server)).toEqual({ name: raw, rawName: undefined, serverName: undefined });
  });
  it('knows the separator of a gateway that has its own', () => {
    expect(splitToolName('gw-search', 'gw', '-').name).toBe('search');
  });
});

describe('classifyAction', () => {
  it.each([
    ['read_file', 'read'],
    ['getUser', 'read'],
    ['list-issues', 'read'],
    ['search', 'read'],
    ['write_file', 'write'],
    ['crm.bulk_update', 'write'],
    ['deleteUser', 'write'],
    ['send_email', 'egress'],
    ['fetch', 'egress'],
    ['post_message', 'egress'],
    ['Bash', 'execute'],
    ['run_query', 'execute'],
    ['exec', 'execute'],
    ['frobnicate', 'unknown'],
    ['', 'unknown'],
  ])('calls %s a %s', (name, action) => {
    expect(classifyAction(name)).toBe(action);
  });
  it('lets a hint raise the class and never lower it', () => {
    expect(classifyAction('delete_all', { annotations: { readOnlyHint: true } })).toBe('write');
    expect(classifyAction('get_page', { annotations: { destructiveHint: true } })).toBe('write');
    expect(classifyAction('frobnicate', { annotations: { readOnlyHint: true } })).toBe('read');
    expect(classifyAction('frobnicate', { annotations: { readOnlyHint: false } })).toBe('write');
    expect(classifyAction('frobnicate', { annotations: {} })).toBe('unknown');
  });
});
