import { hash } from 'node:crypto';

/** The style sheet of evaluation and backtest reports. Fonts are those of the reader's system: nothing is loaded. */
export const REPORT_STYLE = `
:root{--ink:#16191d;--soft:#565e68;--line:#d5dae0;--wash:#f5f7f9;--accent:#1d3f63}
*{box-sizing:border-box}
body{margin:0 auto;max-width:64rem;padding:2.5rem 2rem 4rem;color:var(--ink);background:#fff;font:400 15px/1.5 "Helvetica Neue","Inter","Segoe UI","Roboto","Arial","Liberation Sans","DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.7rem;margin:0 0 .4rem}
h2{font-size:1.1rem;margin:2.2rem 0 .6rem;padding-bottom:.3rem;border-bottom:2px solid var(--ink)}
p{max-width:46rem}
.soft,figcaption{color:var(--soft);font-size:.87rem}
table{border-collapse:collapse;margin:.4rem 0 1rem;font-size:.85rem}
th,td{text-align:left;vertical-align:top;padding:.3rem 1rem .3rem 0;border-bottom:1px solid var(--line)}
td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}
figure{margin:0}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(24rem,1fr));gap:1.2rem}
svg.plot{display:block;width:100%;height:auto}
svg text{font-size:11px;fill:var(--ink)}
svg .grid{stroke:#e1e5ea;stroke-width:1}
svg .axis{stroke:#9aa3ad;stroke-width:1}
.c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}.c3{stroke:#e69f00}.c4{stroke:#cc79a7}.c5{stroke:#565e68}
.f0{fill:#0072b2}.f1{fill:#d55e00}.f2{fill:#009e73}.f3{fill:#e69f00}.f4{fill:#cc79a7}.f5{fill:#565e68}
polyline{fill:none;stroke-width:2}
.chance{stroke:#9aa3ad;stroke-width:1;stroke-dasharray:4 4}
@media print{body{max-width:none;padding:0;font-size:10pt}figure,tr{break-inside:avoid}}
`;

/** Nothing may be loaded or run but this style sheet. */
export const REPORT_CONTENT_POLICY = `default-src 'none'; style-src 'sha256-${hash('sha256', REPORT_STYLE, 'base64')}'; base-uri 'none'; form-action 'none'`;
