import { hash } from 'node:crypto';

/** The one style sheet of the report. Fonts are those of the reader's system: nothing is loaded. */
export const STYLE = `
:root{--ink:#16191d;--soft:#565e68;--line:#d5dae0;--wash:#f5f7f9;--accent:#1d3f63;--bad:#a3330b;--bad-wash:#fdf3ee}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;background:#fff}
body{margin:0 auto;max-width:64rem;padding:3rem 2.5rem 5rem;color:var(--ink);background:#fff;font:400 15px/1.55 "Charter","Bitstream Charter","Sitka Text","Cambria","Georgia","DejaVu Serif",serif;overflow-wrap:anywhere;-webkit-print-color-adjust:exact;print-color-adjust:exact}
h1,h2,h3,th,.kicker,.badge,figcaption,.legend,svg text{font-family:"Helvetica Neue","Inter","Segoe UI","Roboto","Arial","Liberation Sans","DejaVu Sans",sans-serif}
h1{font-size:1.95rem;line-height:1.2;font-weight:650;margin:.2rem 0 .4rem;letter-spacing:-.01em}
h2{font-size:1.18rem;font-weight:650;margin:2.8rem 0 .7rem;padding-bottom:.35rem;border-bottom:2px solid var(--ink)}
h3{font-size:1rem;font-weight:650;margin:1.4rem 0 .4rem}
p{margin:.5rem 0;max-width:46rem}
.kicker{font-size:.74rem;letter-spacing:.12em;text-transform:uppercase;color:var(--accent);font-weight:650}
.question{font-size:1.1rem;font-style:italic;color:var(--soft);margin:0 0 1.2rem}
.soft,.note{color:var(--soft)}
.note{font-size:.87rem}
code,pre,.mono{font-family:"SF Mono","Cascadia Mono","Consolas","Liberation Mono","DejaVu Sans Mono",monospace;font-size:.82em}
pre{background:var(--wash);border:1px solid var(--line);border-left:3px solid var(--accent);padding:.7rem .9rem;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.5;margin:.5rem 0 1rem;break-inside:avoid}
pre code{font-size:.78rem}
.verdict{border:1px solid var(--line);border-left:6px solid var(--accent);background:var(--wash);padding:1rem 1.25rem;margin:1.2rem 0;break-inside:avoid}
.verdict.bad{border-left-color:var(--bad);background:var(--bad-wash)}
.verdict p{max-width:none}
.verdict .badge{font-size:1.05rem;font-weight:700;color:var(--accent)}
.verdict.bad .badge{color:var(--bad)}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem;font-size:.85rem;line-height:1.4}
th,td{text-align:left;vertical-align:top;padding:.36rem .6rem .36rem 0;border-bottom:1px solid var(--line)}
thead th{font-size:.82em;letter-spacing:.05em;text-transform:uppercase;color:var(--soft);font-weight:650;border-bottom:1.5px solid var(--ink);overflow-wrap:anywhere}
thead{display:table-header-group}
tr{break-inside:avoid}
tbody th{font-weight:600;width:11.5em;font-size:.96em;color:var(--soft)}
.dense td{font-family:"Helvetica Neue","Inter","Segoe UI","Roboto","Arial","Liberation Sans","DejaVu Sans",sans-serif}
time,.keep{white-space:nowrap;overflow-wrap:normal}
.dense{font-size:.74rem}
.dense td,.dense th{padding-right:.5rem}
table.steps,table.entries{table-layout:fixed}
.steps th:nth-child(1){width:4%}.steps th:nth-child(2){width:12%}.steps th:nth-child(3){width:12%}.steps th:nth-child(4){width:22%}.steps th:nth-child(5){width:11%}.steps th:nth-child(6){width:8.5%}.steps th:nth-child(7){width:9.5%}.steps th:nth-child(8){width:13%}.steps .keep,.entries .keep{white-space:normal}
.entries th:nth-child(1){width:10%}.entries th:nth-child(2){width:18%}.entries th:nth-child(3){width:10%}.entries th:nth-child(4){width:15%}.entries th:nth-child(5){width:20%}.entries th:nth-child(6){width:13%}
.columns{display:grid;grid-template-columns:1fr 1fr;gap:0 2.2rem}
.columns ul{margin:.3rem 0;padding-left:1.1rem}
.columns li{margin:.25rem 0}
.alert{border:1px solid var(--line);border-left:4px solid #000;padding:.8rem 1.1rem;margin:1rem 0;-webkit-box-decoration-break:clone;box-decoration-break:clone}
.alert h3{margin:0 0 .3rem}
.alert table{margin-bottom:.2rem}
.severity{font-size:.7rem;letter-spacing:.06em;text-transform:uppercase;border:1px solid currentColor;padding:.05rem .4rem;margin-left:.4rem;white-space:nowrap;font-weight:650;color:var(--soft)}
.severity.high,.severity.critical{color:var(--bad)}
figure{margin:1rem 0 1.2rem;padding:0}
figcaption{break-before:avoid;font-size:.82rem;color:var(--soft);margin-top:.3rem}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;margin:.4rem 0;font-size:.76rem;color:var(--soft)}
.legend svg{vertical-align:-3px}
svg.drawing{display:block;width:100%;height:auto;break-inside:avoid;margin:0 0 .4rem}
svg text{font-size:11px;fill:var(--ink)}
svg .lane{fill:#f5f7f9}svg .lane.alternate{fill:#fff}
svg .tick,svg .life{stroke:#c3cad2;stroke-width:1;fill:none}
svg .life{stroke-dasharray:2 3}
svg .time{font-size:10px;font-variant-numeric:tabular-nums}
svg .date,svg .number{font-size:9px;fill:#565e68;font-variant-numeric:tabular-nums}
svg .head{font-weight:650;font-size:11px}
svg .label{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}
svg .arrow{stroke:#3d4650;stroke-width:1.1;fill:none}
svg .arrow.stopped{stroke-dasharray:4 3;stroke:#a3330b}
svg .arrowhead{fill:#3d4650}
svg .m-allow{fill:#0072b2;stroke:#fff;stroke-width:1}
svg .m-none{fill:#fff;stroke:#565e68;stroke-width:1.6}
svg .m-deny rect{fill:#d55e00;stroke:#fff;stroke-width:1}
svg .m-deny path{stroke:#fff;stroke-width:1.7;fill:none}
svg .m-ask{fill:#e69f00;stroke:#5a3e00;stroke-width:1}
svg .m-redact{fill:#009e73;stroke:#fff;stroke-width:1}
svg .m-context{stroke:#16191d;stroke-width:2.4;fill:none}
svg .tag rect{fill:#16191d}
svg .tag text{fill:#fff;font-size:9.5px;font-weight:700}
ol.hand{padding-left:1.3rem}
ol.hand>li{margin:.9rem 0}
footer{margin-top:3rem;padding-top:.8rem;border-top:1px solid var(--line);font-size:.82rem;color:var(--soft)}
@media (max-width:44rem){body{padding:1.5rem 1rem}.columns{grid-template-columns:1fr}}
@media print{
@page{size:auto;margin:18mm 16mm 20mm;@bottom-right{content:"Page " counter(page) " of " counter(pages);font:8pt "Helvetica Neue","Arial","Liberation Sans","DejaVu Sans",sans-serif;color:#565e68}@bottom-left{content:"Evidence report";font:8pt "Helvetica Neue","Arial","Liberation Sans","DejaVu Sans",sans-serif;color:#565e68}}
body{max-width:none;padding:0;font-size:10pt}
h1{font-size:19pt}h2{font-size:12.5pt;margin-top:1.6rem}h3{font-size:10.5pt}
h2,h3,figcaption,thead{break-after:avoid}
table{font-size:8.4pt}.dense{font-size:7pt}
pre code{font-size:7.6pt}
p,li{orphans:3;widows:3}
}
`;

/** As a Content-Security-Policy names it: no other style, and nothing else at all. */
export const STYLE_SOURCE = `'sha256-${hash('sha256', STYLE, 'base64')}'`;
