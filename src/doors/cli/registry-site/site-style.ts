/** The style of all pages: two palettes by the reader's preference, one column below 640 px. */
export const SITE_STYLE = `
:root{--back:#fff;--panel:#f5f6f8;--line:#d9dce1;--edge:#767f8b;--text:#1a1d21;--dim:#5c6570;--link:#0b57a8;--bad:#a3231c;--badback:#fdecea;--good:#1b7f3b}
@media (prefers-color-scheme:dark){:root{--back:#14171b;--panel:#1d2127;--line:#343a43;--edge:#7f8996;--text:#e6e9ed;--dim:#a0a9b5;--link:#7db7ff;--bad:#ff9c95;--badback:#3a1d1c;--good:#56c878}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0 auto;max-width:960px;padding:1.25rem 1.25rem 3rem;background:var(--back);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.87em}
code{overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .4rem;overflow-wrap:anywhere}h1 .version{color:var(--dim);font-weight:400}
h2{font-size:1.15rem;margin:1.9rem 0 .5rem}
p{margin:.4rem 0}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-999px}.skip:focus{left:1rem;top:.5rem;background:var(--back);padding:.3rem;z-index:2}
.dim{color:var(--dim)}
.badge{display:inline-block;font-size:.8rem;line-height:1.5;font-weight:600;padding:0 .6em;border-radius:1em;border:1px solid currentColor;vertical-align:middle;white-space:nowrap}.badge.yanked{color:var(--bad)}.badge.newest{color:var(--good)}.badge.plain{color:var(--dim);font-weight:400}
.search{display:flex;flex-wrap:wrap;gap:.6rem;align-items:end;margin:1rem 0 .3rem}.search label{display:block}.search label span{display:block;font-size:.88rem;color:var(--dim);margin-bottom:.15rem}.search .text{flex:1 1 16rem}
input,select,button{font:inherit;color:inherit;background:var(--panel);border:1px solid var(--edge);border-radius:6px;padding:.4rem .7rem;min-height:2.5rem}
.search .text input{width:100%}
select{max-width:100%}
button{cursor:pointer}button:hover{border-color:var(--link)}
.found{min-height:1.5em;color:var(--dim);font-size:.92rem;margin:.5rem 0}
.results{list-style:none;margin:0;padding:0;border-top:1px solid var(--line)}.result{border-bottom:1px solid var(--line);padding:.6rem 0}
.result .head{display:flex;flex-wrap:wrap;gap:.1rem .7rem;align-items:baseline}.result a{font-weight:600;overflow-wrap:anywhere}.result p{margin:.1rem 0 0;overflow-wrap:anywhere}
.pages{display:flex;flex-wrap:wrap;gap:.5rem 1.2rem;margin:1rem 0}
.note{border:1px solid var(--line);border-left:4px solid var(--edge);border-radius:6px;padding:.5rem .9rem;margin:.9rem 0;overflow-wrap:anywhere}.note.bad{border-color:var(--bad);background:var(--badback)}
dl{display:grid;grid-template-columns:minmax(6rem,auto) minmax(0,1fr);gap:.2rem 1.2rem;margin:.6rem 0}dt{color:var(--dim)}dd{margin:0;min-width:0;overflow-wrap:anywhere}
.tags{list-style:none;display:flex;flex-wrap:wrap;gap:.3rem;margin:0;padding:0}.tags li{border:1px solid var(--line);border-radius:1em;padding:0 .6em;font-size:.9em}
.line{display:flex;gap:.5rem;align-items:stretch;margin:.2rem 0 .7rem}.line pre{flex:1;min-width:0;margin:0}
pre{padding:.55rem .8rem;background:var(--panel);border:1px solid var(--line);border-radius:6px;white-space:pre-wrap;overflow-wrap:anywhere;margin:.3rem 0}
.copy{align-self:start;font-size:.9rem;min-width:4.6rem}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.93em}th{text-align:left;color:var(--dim);font-weight:500}th,td{padding:.35rem 1rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}td:first-child{white-space:nowrap}tr.yanked td:first-child a{text-decoration:line-through}
tr[aria-current] td:first-child{font-weight:600}
.order{margin:.3rem 0;padding-left:1.4rem}.order ol,.order ul{padding-left:1.2rem}
summary{cursor:pointer;color:var(--link);padding:.3rem 0}
.site{display:flex;flex-wrap:wrap;gap:.3rem 1rem;justify-content:space-between;align-items:baseline;border-bottom:1px solid var(--line);padding-bottom:.6rem;margin-bottom:1rem}.site a{font-weight:600;text-decoration:none;color:var(--text)}.site a:hover{text-decoration:underline}
footer{margin-top:2.5rem;color:var(--dim);font-size:.88em;border-top:1px solid var(--line);padding-top:.6rem}
@media (max-width:640px){body{padding:.9rem .8rem 2rem}dl{grid-template-columns:minmax(0,1fr)}dd{margin-bottom:.4rem}.search .text{flex-basis:100%}.line{flex-direction:column;gap:.3rem}.line pre{flex:none}.wide table,.wide tbody,.wide tr,.wide td{display:block}.wide thead{position:absolute;left:-999px}.wide tr{padding:.45rem 0;border-bottom:1px solid var(--line)}.wide td{border:0;padding:.05rem 0}}
@media print{:root{--back:#fff;--panel:#fff;--text:#000;--dim:#444;--line:#bbb;--link:#000}.search,.copy,.pages,.skip{display:none!important}}
`;
