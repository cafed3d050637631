/** Texts that a page must show and never carry out: each would set `window.hit`, load something or show a dialog. */
import { call, postJson } from './http-client.ts';

export const payloads = [
  '<script>window.hit=1;alert(1)</script>',
  '"><script>window.hit=1</script>',
  "'><img src=x onerror=window.hit=1>",
  '<img src=x onerror=alert(1)//',
  '<svg/onload=window.hit=1>',
  '<svg><animate onbegin=alert(1) attributeName=x dur=1s>',
  '<iframe srcdoc="<script>parent.hit=1</script>">',
  '<a href="javascript:window.hit=1" id=planted>x</a>',
  '"autofocus onfocus="window.hit=1',
  "' onmouseover='window.hit=1' x='",
  '</title><script>window.hit=1</script>',
  '</script><script>window.hit=1</script>',
  '</textarea><script>window.hit=1</script>',
  '<!--<script>window.hit=1</script>-->',
  ']]><script>window.hit=1</script>',
  '<base href="https://evil.example/">',
  '<meta http-equiv=refresh content="0;url=https://evil.example/">',
  '<object data="javascript:alert(1)">',
  '<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>',
  '<details open ontoggle=window.hit=1>',
  '{{constructor.constructor("window.hit=1")()}}',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: hostile text, meant as it stands.
  '${window.hit=1}',
  '&lt;script&gt;window.hit=1&lt;/script&gt;',
  '&#60;script&#62;window.hit=1',
  '\\u003cscript\\u003ewindow.hit=1',
  '＜script＞window.hit=1＜/script＞',
  '\u202e<script>window.hit=1</script>',
  'javascript:window.hit=1',
  '=HYPERLINK("https://evil.example","x")',
  '@import "https://evil.example/x.css";',
] as const;

/**
 * Puts every payload wherever a stranger can put text: target, note, tags; and of visits referrer, agent, language,
 * campaign. Resolves when the visits are counted, on the link `hostile-0`; the others are `hostile-1` and so on.
 */
export async function plantPayloads(port: number): Promise<void> {
  for (const [index, payload] of payloads.entries()) {
    const inUrl = payload.replace(/[\\\u202e]/g, '');
    const created = await postJson(port, '/api/links', {
      url: `https://example.com/${encodeURIComponent(payload)}?q=${inUrl}#${inUrl}`,
      alias: `hostile-${index}`,
      note: payload,
      tags: [payload.slice(0, 50).trim(), `${index}`],
    });
    if (created.status !== 201) throw new Error(`${payload} was answered ${created.status}: ${created.text}`);
  }
  let visits = 0;
  for (const payload of payloads) {
    const header = Buffer.from(payload, 'utf8')
      .toString('latin1')
      .replace(/[^\x20-\x7e\xa0-\xff]/g, '');
    const query = `utm_source=${encodeURIComponent(payload)}&utm_campaign=${encodeURIComponent(payload)}`;
    for (const [referer, agent] of [
      [`https://${header}.example/`, `${header} bot/${header}`],
      [header, `Mozilla/5.0 (X11; Linux x86_64) ${header} Chrome/130.0 Safari/537.36`],
      [`https://example.com/${header}`, header],
    ] as const) {
      const { status } = await call(port, {
        path: `/hostile-0?${query}`,
        headers: { Referer: referer, 'User-Agent': agent, 'Accept-Language': header },
      });
      if (status !== 302) throw new Error(`a visit with ${payload} was answered ${status}`);
      visits += 1;
    }
  }
  const deadline = performance.now() + 10_000;
  for (;;) {
    const { text } = await call(port, { path: '/api/links/hostile-0' });
    if ((JSON.parse(text) as { visits: { total: number } }).visits.total === visits) return;
    if (performance.now() > deadline) throw new Error(`the visits were not counted: ${text}`);
  }
}
