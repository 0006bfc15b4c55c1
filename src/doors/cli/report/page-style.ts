/** The page's style: two palettes by the reader's preference, one column below 640 px, plain on paper. */
export const PAGE_STYLE = `
:root{--back:#fff;--panel:#f5f6f8;--line:#d9dce1;--text:#1a1d21;--dim:#5c6570;--link:#0b57a8;--ran:#2f6fd0;--cached:#8a94a3;--failed:#c62828;--stopped:#b26a00;--good:#1b7f3b;--mark:#ffe08a;--markbg:#fdecea}
@media (prefers-color-scheme:dark){:root{--back:#14171b;--panel:#1d2127;--line:#343a43;--text:#e6e9ed;--dim:#a0a9b5;--link:#7db7ff;--ran:#5b98f0;--cached:#6d7785;--failed:#ff7b72;--stopped:#e0a040;--good:#56c878;--mark:#6b5200;--markbg:#3a1d1c}}
*{box-sizing:border-box}
html{scroll-padding-top:1rem}
body{margin:0 auto;max-width:1180px;padding:1.25rem 1.25rem 3rem;background:var(--back);color:var(--text);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
code,pre,.log,.number{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.87em}
code{overflow-wrap:anywhere}
h1{font-size:1.6rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.2rem;margin:2rem 0 .6rem}h3{font-size:1rem;margin:1.3rem 0 .4rem}
a{color:var(--link)}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-999px}.skip:focus{left:1rem;top:.5rem;background:var(--back);padding:.3rem}
.dim,.count{color:var(--dim);font-weight:400}.count{font-size:.9em}
.facts,.image{margin:.3rem 0}.id{margin:0}
.badge{font-size:.85rem;padding:.15em .6em;border-radius:1em;vertical-align:middle;color:#fff;background:#1b7f3b}.badge.failed{background:#b3261e}.badge.stopped{background:#8a5200}
nav{margin-top:.7rem;display:flex;flex-wrap:wrap;gap:.3rem 1rem}
.failure{border:1px solid var(--failed);border-radius:8px;padding:.2rem 1rem .8rem;margin-top:1.2rem;background:var(--markbg)}.failure h2{margin-top:.6rem;color:var(--failed)}
.message{overflow-wrap:anywhere;font-weight:600}.message .dim{font-weight:400}
pre{margin:.5rem 0;padding:.6rem .8rem;background:var(--panel);border:1px solid var(--line);border-radius:6px;overflow:auto;max-height:32rem}
pre.source{white-space:pre-wrap;overflow-wrap:anywhere}
mark{background:var(--mark);color:inherit}
.warnings{padding-left:1.2rem}
.legend{color:var(--dim);margin:.2rem 0 .6rem;font-size:.9em}.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-left:.8em}.key:first-child{margin-left:0}
.bar.ran,.key.ran{background:var(--ran)}.bar.cached,.key.cached{background:var(--cached)}.bar.failed,.key.failed{background:var(--failed)}.bar.cancelled,.key.cancelled{background:repeating-linear-gradient(45deg,var(--stopped) 0 4px,transparent 4px 7px),var(--panel)}
.phase ol{list-style:none;margin:0;padding:0}.phase h3{margin:.8rem 0 .1rem;font-size:.92rem}
.axis,.phase a{display:grid;grid-template-columns:minmax(0,30%) minmax(0,1fr) 4.2rem;gap:.7rem;align-items:center}
.phase a{color:inherit;text-decoration:none;padding:2px 0;border-radius:4px}.phase a:hover{background:var(--panel)}
.phase .name{white-space:nowrap;overflow:hidden;text-overflow:ellipsis;font-size:.9em}.phase .took{text-align:right;font-size:.85em;color:var(--dim);font-variant-numeric:tabular-nums}
.phase .failed .name,.phase .failed .took{color:var(--failed);font-weight:600}
.track{position:relative;height:1rem;background:linear-gradient(var(--line),var(--line)) 0 50%/100% 1px no-repeat}.bar{position:absolute;top:2px;bottom:2px;min-width:4px;border-radius:3px}
.axis{position:sticky;top:0;background:var(--back);z-index:1;font-size:.8em;color:var(--dim);border-bottom:1px solid var(--line)}.ticks{position:relative;height:1.4rem}.ticks span{position:absolute;padding-left:3px;border-left:1px solid var(--line);height:100%}
.map{position:relative;width:100%;aspect-ratio:3;max-height:360px;border:1px solid var(--line);border-radius:6px;overflow:hidden;background:var(--panel)}
.cell{position:absolute;overflow:hidden;padding:.3rem .45rem;border:1px solid var(--back);font-size:.8rem;line-height:1.3;color:#10151b;text-decoration:none;overflow-wrap:anywhere}.cell:hover,.cell:focus-visible{filter:brightness(1.08);z-index:1;outline-offset:-3px;outline-color:#10151b}
.cell.base{background:#b9c0ca}.c0{background:#8fb8f5}.c1{background:#8fd1a5}.c2{background:#f2c17d}.c3{background:#cfaef0}.c4{background:#f0a8a8}.c5{background:#86d0d6}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92em}th{text-align:left;color:var(--dim);font-weight:500}th,td{padding:.25rem .7rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}.right{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}tr:target{background:var(--mark)}
.what{min-width:14rem}td:first-child,td>a,td:last-child code[title]{white-space:nowrap}
.tag,.tags li{display:inline-block;border:1px solid var(--line);border-radius:1em;padding:0 .6em;font-size:.88em}.tags{list-style:none;padding:0;margin:0;display:flex;flex-wrap:wrap;gap:.4rem}
dl{display:grid;grid-template-columns:minmax(6rem,auto) minmax(0,1fr);gap:.15rem 1rem;margin:.3rem 0}dt{color:var(--dim);overflow-wrap:anywhere;max-width:22rem}dd{margin:0;min-width:0;overflow-wrap:anywhere}dd ul{margin:0;padding-left:1.1rem}
summary{cursor:pointer}.table>summary{color:var(--link)}
.tools{display:flex;flex-wrap:wrap;gap:.5rem .8rem;align-items:center;margin-bottom:.6rem}.tools[hidden]{display:none}.tools input,.tools select,.tools button{font:inherit;color:inherit;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.25rem .6rem}.tools input{width:17rem;max-width:100%}
.step{border:1px solid var(--line);border-left:4px solid var(--ran);border-radius:6px;margin:.35rem 0}.step.cached{border-left-color:var(--cached)}.step.failed{border-left-color:var(--failed)}.step.cancelled{border-left-color:var(--stopped)}.step.skipped{border-left-color:var(--line)}
.step>summary{display:flex;gap:.7rem;align-items:baseline;padding:.35rem .7rem;list-style:none}.step>summary::-webkit-details-marker{display:none}.step>summary:hover{background:var(--panel)}
.step>summary .name{flex:1;min-width:0;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}.step[open]>summary .name{white-space:normal;overflow-wrap:anywhere}
.number{color:var(--dim);min-width:1.8em;text-align:right}.state{white-space:nowrap;color:var(--dim);font-size:.9em}.state.failed{color:var(--failed);font-weight:600}.state.cancelled{color:var(--stopped)}.lines{white-space:nowrap;font-size:.85em;min-width:4.5em;text-align:right}
.body{padding:.2rem .9rem .6rem}
.log{white-space:pre-wrap;overflow-wrap:anywhere}.log i{color:var(--dim);font-style:normal;user-select:none}.err{color:var(--stopped)}
::highlight(found){background:var(--mark);color:var(--text)}
footer{margin-top:2.5rem;color:var(--dim);font-size:.85em}
@media (max-width:640px){body{padding:.9rem .8rem 2rem}.axis,.phase a{grid-template-columns:minmax(0,1fr) 4rem}.axis>span:first-child,.axis>span:last-child{display:none}.cell.thin>*{display:none}.phase .name{grid-column:1}.phase .took{grid-row:1;grid-column:2}.phase .track{grid-column:1/-1;height:.8rem}.phase a{gap:0 .5rem}.axis .ticks{grid-column:1/-1}.map{aspect-ratio:1.6}.cell{font-size:.72rem}dl{grid-template-columns:minmax(0,1fr)}dd{margin-bottom:.35rem}.lines{display:none}.step>summary{gap:.45rem}.tools input{width:100%}.tools label:first-child{width:100%}}
@media print{:root{--back:#fff;--panel:#fff;--text:#000;--dim:#444;--line:#bbb;--link:#000}body{max-width:none;padding:0;font-size:11px}nav,.tools,.skip,.legend{display:none!important}pre{max-height:none;overflow:visible}.step{break-inside:auto}.step>summary,h2,h3{break-after:avoid}.bar,.cell,.badge{print-color-adjust:exact;-webkit-print-color-adjust:exact}.axis{position:static}}
`;
