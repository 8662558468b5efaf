/** What a dashboard is looked at with. */
export interface View {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalSeconds: number;
  /** Chosen values of each variable; `undefined` = all. */
  readonly variables: Readonly<Record<string, readonly string[] | undefined>>;
}

/**
 * SQL as the ClickHouse data source sends it: variables are put in first, then macros by the rules of its version 4
 * (pkg/macros in its sources).
 * @throws Error for a macro or a variable that is not known.
 */
export function expandMacros(rawSql: string, view: View): string {
  const expanded = replaceMacros(replaceConditionals(rawSql, view), view);
  const variables = expanded.replaceAll(/\$\{(\w+):singlequote\}/g, (_, name: string) => quoted(name, view));
  const left = /\$\S*/.exec(variables);
  if (left !== null) throw new Error(`cannot expand ${left[0]}: not a known macro or variable`);
  return variables;
}

function quoted(name: string, view: View): string {
  if (!(name in view.variables)) throw new Error(`cannot expand variable ${name}: the dashboard has none`);
  return (view.variables[name] ?? ['$all'])
    .map((value) => `'${value.replaceAll("'", String.raw`\'`)}'`)
    .join(',');
}

/** `$__conditionalAll(condition, $variable)` is the condition, or `1=1` while all values are chosen. */
function replaceConditionals(sql: string, view: View): string {
  return sql.replaceAll(/\$__conditionalAll\((.*?), \$(\w+)\)/g, (_, condition: string, name: string) => {
    if (!(name in view.variables)) throw new Error(`cannot expand variable ${name}: the dashboard has none`);
    return view.variables[name] === undefined ? '1=1' : condition;
  });
}

function replaceMacros(sql: string, { fromMs, toMs, intervalSeconds }: View): string {
  const seconds = (ms: number) => `toDateTime(${Math.floor(ms / 1000)})`;
  const macros: Readonly<Record<string, (column: string) => string>> = {
    timeFilter: (column) => `${column} >= ${seconds(fromMs)} AND ${column} <= ${seconds(toMs)}`,
    timeInterval: (column) =>
      `toStartOfInterval(toDateTime(${column}), INTERVAL ${Math.max(Math.floor(intervalSeconds), 1)} second)`,
    fromTime: () => seconds(fromMs),
    toTime: () => seconds(toMs),
  };
  // Arguments are plain names: the data source cuts them at commas.
  return sql.replaceAll(/\$__(\w+)(?:\((\w+)\))?/g, (text, name: string, column: string | undefined) => {
    const macro = macros[name];
    if (macro === undefined) throw new Error(`cannot expand ${text}: not a known macro`);
    return macro(column ?? '');
  });
}
