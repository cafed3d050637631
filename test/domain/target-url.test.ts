import fc from 'fast-check';
import type { FieldErrorCode } from '../../src/domain/refusal.ts';
import { completeTypedUrl, ownHostsOf, parseTargetUrl, type TargetUrlRules } from '../../src/domain/target-url.ts';

const rules: TargetUrlRules = { ownHosts: ownHostsOf('https://hop.example', false), allowPrivateTargets: false };

function codeOf(input: unknown, underRules = rules): FieldErrorCode | 'accepted' {
  const parsed = parseTargetUrl(input, underRules);
  return typeof parsed === 'string' ? 'accepted' : parsed.code;
}

describe('valid addresses (S44)', () => {
  it.each([
    'http://example.com',
    'HTTP://EXAMPLE.COM/',
    'https://example.com:8443/a/b?c=d&e=f#g',
    'https://example.com/a b',
    '  https://example.com/outer-spaces  ',
    'https://bücher.example/straße?größe=ß#ü',
    'https://例え.テスト/パス',
    'https://xn--bcher-kva.example/',
    'http://example.com.',
    'http://8.8.8.8/',
    'http://172.15.255.255/',
    'http://172.32.0.0/',
    'http://100.63.255.255/',
    'http://100.128.0.1/',
    'http://192.167.255.255/',
    'http://11.0.0.1:65535/',
    'http://[2606:4700:4700::1111]/dns',
    'http://[::ffff:8.8.8.8]/',
    'http://[64:ff9b::808:808]/',
    'http://[2002:808:808::1]/',
    'http://intranet/',
    'http://localhost.example.com/',
    'http://mylocal/',
    'http://notinternal.example/',
    'http://internal.example/',
    'https://example.com/?next=https://user@other.example/',
    'https://example.com/@name',
    'https://example.com/#a@b',
    "https://example.com/wiki/Foo_(bar)!$&'*+,;=:@~|^`{}[]",
    'https://example.com/%00%0d%0a%5c',
    'https://example.com//double//slashes',
    'https://example.com/../up',
    'https://example.com:/empty-port',
    'https://example.com:443/default-port',
    'https://hop.example:8443/another-port',
    'https://sub.hop.example/',
    'https://hop.example.org/',
    `https://example.com/${'a'.repeat(2028)}`,
    `https://example.com/${'x/../'.repeat(1000)}`,
    'https://\u{1f600}.example/\u{1f600}',
    'https://example.com/\u202ereversed',
  ])('are accepted as the parser writes them: %s', (input) => {
    expect(parseTargetUrl(input, rules)).toBe(new URL(input).href);
  });
});

describe('active and foreign schemes (S1)', () => {
  it.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    '  javascript:alert(1)',
    'javascript://example.com/%0aalert(1)',
    'javascript:https://example.com/',
    'javascript:1',
    'data:text/html,<script>alert(1)</script>',
    'vbscript:msgbox(1)',
    'blob:https://example.com/1',
    'file:///etc/passwd',
    'intent://scan/#Intent;scheme=zxing;end',
    'ftp://example.com/',
    'ws://example.com/',
    'mailto:a@example.com',
    'tel:123',
    'about:blank',
    'view-source:https://example.com/',
    'httpx://example.com/',
    'https+x://example.com/',
    `${'a'.repeat(3000)}:x`,
  ])('are refused by name: %s', (input) => {
    expect(codeOf(input)).toBe('scheme-not-allowed');
  });

  it.each(['java\tscript:alert(1)', 'java\nscript:alert(1)', '\u0001javascript:alert(1)', 'javascript\u0000:alert(1)'])(
    'are not hidden by control characters: %j',
    (input) => {
      expect(codeOf(input)).toBe('characters-not-allowed');
    },
  );

  it.each(['javascript&colon;alert(1)', '&#106;avascript:alert(1)', '%6aavascript:alert(1)', 'java script:alert(1)'])(
    'are not hidden by entities or escapes: %s',
    (input) => {
      expect(codeOf(input)).toBe('not-absolute');
    },
  );
});

describe('relative and malformed addresses (S2)', () => {
  it.each([
    'example.com',
    'example.com/path',
    'example.com:8080/path',
    'localhost:3000',
    '192.0.2.1:80/x',
    '//example.com/',
    '///example.com/',
    '/path',
    '../path',
    '?query',
    '#fragment',
    '\\\\example.com\\share',
    'word',
    '://example.com',
  ])('are never completed: %s', (input) => {
    expect(codeOf(input)).toBe('not-absolute');
  });

  it.each([
    'http:example.com',
    'http:/example.com',
    'http:///example.com',
    'http:////example.com',
    'https:',
    'https://',
    'https://?query',
    'https:///',
    'https://#x',
    'https://...',
    'https://exa mple.com/',
    'https://exa<mple.com/',
    'https://example.com:port/',
    'https://example.com:65536/',
    'https://javascript:alert(1)',
    'https://256.1.1.1/',
    'https://1.2.3.4.5/',
    'https://[::1',
    'https://[fe80::1%25eth0]/',
    'https://xn--/',
    'https://%00.example/',
    'https://exa%2fmple.com/',
  ])('are refused where the parser is lenient or fails: %s', (input) => {
    expect(codeOf(input)).toBe('not-a-url');
  });

  it.each([
    'https:\\\\example.com',
    'https:/\\example.com',
    'https://example.com\\@evil.example',
    'https://e.example/a\\b',
  ])('are refused for their backslashes: %s', (input) => {
    expect(codeOf(input)).toBe('characters-not-allowed');
  });
});

describe('credentials (S3)', () => {
  it.each([
    'https://user@example.com/',
    'https://user:password@example.com/',
    'https://:password@example.com/',
    'https://@example.com/',
    'https://:@example.com/',
    'https://example.com@evil.example/',
    'https://example.com:443@evil.example/',
    'https://a@b@c.example/',
    'https://%40@example.com/',
    'https://user@hop.example/',
  ])('are refused: %s', (input) => {
    expect(codeOf(input)).toBe('credentials-not-allowed');
  });
});

describe('control characters and broken text (S4)', () => {
  it.each([
    'https://example.com/\r\nSet-Cookie: a=b',
    'https://example.com/\n',
    '\nhttps://example.com/',
    'https://example.com/\r',
    'https://example.com/\t',
    'https://exam\tple.com/',
    'ht\ntps://example.com/',
    'https://example.com/\u0000',
    'https://example.com/\u000b',
    'https://example.com/\u007f',
    'https://example.com/\u0085',
    'https://example.com/\u2028',
    'https://example.com/\u2029',
    'https://example.com/\ud800',
    'https://example.com/\udc00x',
    '\ud83dhttps://example.com/',
  ])('are refused, wherever they stand: %j', (input) => {
    expect(codeOf(input)).toBe('characters-not-allowed');
  });
});

describe('length and presence', () => {
  it.each([
    [undefined, 'required'],
    [null, 'required'],
    ['', 'required'],
    ['    ', 'required'],
    [7, 'wrong-type'],
    [true, 'wrong-type'],
    [['https://example.com/'], 'wrong-type'],
    [{ href: 'https://example.com/' }, 'wrong-type'],
    [`https://example.com/${'a'.repeat(2029)}`, 'too-long'],
    [`https://example.com/${'ü'.repeat(400)}`, 'too-long'],
    ['a'.repeat(10_000_000), 'too-long'],
  ])('%.40j is refused as %s', (input, code) => {
    expect(codeOf(input)).toBe(code);
  });

  it('judges the worst text of permitted length in a moment', () => {
    const worst = [
      `${' '.repeat(4000)}x${' '.repeat(4000)}`,
      '.'.repeat(8192),
      `${'a.'.repeat(4096)}`,
      `https://${'a.'.repeat(1000)}/`,
      `https://x${'.'.repeat(2000)}/`,
      `https://${'a@'.repeat(4000)}`,
      `https://${'%'.repeat(8000)}`,
    ];
    const start = performance.now();
    for (const text of worst) {
      codeOf(text);
      completeTypedUrl(text);
    }
    expect(performance.now() - start).toBeLessThan(250);
  });
});

describe('our own host (S8)', () => {
  it.each([
    'https://hop.example/',
    'https://hop.example/abc1234',
    'https://HOP.EXAMPLE/',
    'https://hop.example./',
    'https://hop.example..:443/',
    'https://hop.example:443/',
    'http://hop.example/',
    'https://h%6fp.example/',
    'https://ｈｏｐ.example/',
    'https://hop。example/',
    'https://h\u00adop.example/',
  ])('is refused in every spelling: %s', (input) => {
    expect(codeOf(input)).toBe('own-host');
    expect(codeOf(input, { ...rules, allowPrivateTargets: true })).toBe('own-host');
  });

  it('is recognised in punycode', () => {
    const idn = { ...rules, ownHosts: ownHostsOf('https://höp.example', false) };
    expect(codeOf('https://xn--hp-fka.example/', idn)).toBe('own-host');
    expect(codeOf('https://HÖP.example/x', idn)).toBe('own-host');
  });

  it.each([
    'http://192.0.2.7:8080/',
    'http://0xc0.0.2.7:8080/',
    'http://3221225991:8080/',
    'http://0300.0.02.07:8080/',
    'http://192.0.519:8080/',
    'http://[::ffff:192.0.2.7]:8080/',
    'http://[::192.0.2.7]:8080/',
    'http://[64:ff9b::192.0.2.7]:8080/',
    'https://192.0.2.7:8080/',
  ])('is recognised as an address in any form: %s', (input) => {
    expect(codeOf(input, { ...rules, ownHosts: ownHostsOf('http://192.0.2.7:8080', false) })).toBe('own-host');
  });

  it.each(['http://192.0.2.7/', 'http://192.0.2.7:8081/', 'http://192.0.2.8:8080/'])(
    'is not another port or address: %s',
    (input) => {
      expect(codeOf(input, { ...rules, ownHosts: ownHostsOf('http://192.0.2.7:8080', false) })).toBe('accepted');
    },
  );

  it.each([
    'http://localhost:3000/',
    'http://LOCALHOST.:3000/',
    'http://127.0.0.1:3000/',
    'http://127.1:3000/',
    'http://0x7f000001:3000/',
    'http://[::1]:3000/',
    'http://[0:0:0:0:0:0:0:1]:3000/',
    'http://[::ffff:127.0.0.1]:3000/',
    'http://0:3000/',
    'http://[::]:3000/',
    'https://localhost:3000/',
  ])('is loopback with our port when no BASE_URL was given: %s', (input) => {
    const local = { ownHosts: ownHostsOf('http://localhost:3000', true), allowPrivateTargets: true };
    expect(codeOf(input, local)).toBe('own-host');
    expect(codeOf(input.replace('3000', '3001'), local)).toBe('accepted');
  });
});

describe('private, loopback and metadata targets (S10)', () => {
  it.each([
    'http://localhost/',
    'http://LocalHost:8080/',
    'http://localhost./',
    'http://app.localhost/',
    'http://printer.local/',
    'http://printer.local./',
    'http://metadata.google.internal/computeMetadata/v1/',
    'http://nas.home.arpa/',
    'http://ｌｏｃａｌｈｏｓｔ/',
    'http://127.0.0.1/',
    'http://127.0.0.1./',
    'http://127.255.255.254/',
    'http://127.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://017700000001/',
    'http://①②⑦.0.0.1/',
    'http://127。0。0。1/',
    'http://%31%32%37.0.0.1/',
    'http://0/',
    'http://0.0.0.0/',
    'http://0.255.255.255/',
    'http://10.0.0.1/',
    'http://10.255.255.255/',
    'http://100.64.0.1/',
    'http://100.127.255.255/',
    'http://100.100.100.200/latest/meta-data/',
    'http://169.254.169.254/latest/meta-data/',
    'http://0xa9fea9fe/',
    'http://2852039166/',
    'http://172.16.0.1/',
    'http://172.31.255.255/',
    'http://192.168.0.1/',
    'http://192.168.65535/',
    'http://[::]/',
    'http://[::1]/',
    'http://[0000:0000:0000:0000:0000:0000:0000:0001]/',
    'http://[fc00::1]/',
    'http://[fd00:ec2::254]/',
    'http://[fdff:ffff::]/',
    'http://[fe80::1]/',
    'http://[febf::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::ffff:0.0.0.0]/',
    'http://[::ffff:0.0.0.1]/',
    'http://[::ffff:169.254.169.254]/',
    'http://[0:0:0:0:0:ffff:a00:1]/',
    'http://[::127.0.0.1]/',
    'http://[::10.0.0.1]/',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[2002:7f00:1::]/',
    'http://[2002:c0a8:101::1]/',
  ])('are refused in any form, and pass with the switch: %s', (input) => {
    expect(codeOf(input)).toBe('private-target');
    expect(parseTargetUrl(input, { ...rules, allowPrivateTargets: true })).toBe(new URL(input).href);
  });

  it.each([
    'http://[fec0::1]/',
    'http://[fbff::1]/',
    'http://[fe7f::1]/',
    'http://[::fffe:7f00:1]/',
    'http://[64:ff9b:1::]/',
  ])('end where the networks end: %s', (input) => {
    expect(codeOf(input)).toBe('accepted');
  });
});

describe('every refusal', () => {
  it('names the field and says in a sentence what to do', () => {
    for (const input of ['', 7, 'x', 'ftp://x/', 'http:x', 'http://a@b/', 'http://a\\', 'http://[', 'http://10.1/']) {
      const refusal = parseTargetUrl(input, rules);
      expect(refusal).toMatchObject({ field: 'url', detail: expect.stringMatching(/^[A-Z].{15,}\.$/) });
    }
  });
});

describe('the form', () => {
  it.each([
    ['example.com', 'https://example.com'],
    ['example.com/x', 'https://example.com/x'],
    [' example.com/x?y=z#w ', 'https://example.com/x?y=z#w'],
    ['www.example.co.uk:8443/x', 'https://www.example.co.uk:8443/x'],
    ['bücher.example', 'https://bücher.example'],
    ['a_b.example.com?x', 'https://a_b.example.com?x'],
    ['xn--bcher-kva.xn--p1ai', 'https://xn--bcher-kva.xn--p1ai'],
  ])('completes the bare host of %j', (typed, completed) => {
    expect(completeTypedUrl(typed)).toBe(completed);
  });

  it.each([
    '',
    'word',
    'localhost:3000',
    'localhost/x',
    '127.0.0.1/x',
    '1.2.3.4',
    '//example.com',
    '/path.html',
    'javascript:alert(document.cookie)',
    'mailto:a@example.com',
    'user@example.com',
    'user:pass@example.com/x',
    'http://example.com',
    'http:example.com',
    'ftp.example.com:x',
    'example.com\\x',
    'example.com/a b',
    'example..com',
    '.example.com',
    'example.com.',
    'example.c',
    'exa\nmple.com',
  ])('leaves %j as it is', (typed) => {
    expect(completeTypedUrl(typed)).toBe(typed);
  });
});

describe('whatever the input', () => {
  const awkward = fc.oneof(
    fc.webUrl({ withFragments: true, withQueryParameters: true }),
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'htps:/\\@.?#[]%0x17fF aü\u0000\t\u2028') }),
    fc
      .tuple(fc.constantFrom('http://', 'https://', 'HTTPS://', 'http:'), fc.string({ unit: 'grapheme' }))
      .map((parts) => parts.join('')),
    fc.ipV4Extended().map((host) => `http://${host}/`),
    fc.ipV6().map((host) => `http://[${host}]/`),
    fc.anything(),
  );

  it('what is accepted is http(s) in ASCII, parses to itself, and is accepted again as the same', () => {
    fc.assert(
      fc.property(awkward, fc.boolean(), (input, allowPrivateTargets) => {
        const parsed = parseTargetUrl(input, { ...rules, allowPrivateTargets });
        if (typeof parsed !== 'string') return;
        expect(parsed).toMatch(/^https?:\/\/[\x21-\x7e]+$/);
        expect(parsed.length).toBeLessThanOrEqual(2048);
        expect(new URL(parsed).href).toBe(parsed);
        expect(new URL(String(input)).href).toBe(parsed);
        expect(parseTargetUrl(parsed, { ...rules, allowPrivateTargets })).toBe(parsed);
      }),
      { numRuns: 3000 },
    );
  });

  it('ordinary web addresses are accepted', () => {
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (input) => {
        fc.pre(!/\.(?:local|internal|arpa|localhost)(?:[:/?#]|$)/.test(input));
        expect(parseTargetUrl(input, rules)).toBe(new URL(input).href);
      }),
    );
  });

  it('an address inside a private network is refused in each way to write it', () => {
    const privateAddress = fc
      .tuple(fc.constantFrom(10, 127, 0), fc.nat(255), fc.nat(255), fc.nat(255))
      .map(([a, b, c, d]) => ((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
    const hex = (value: number) => value.toString(16);
    const spellings: ((address: number) => string)[] = [
      String,
      (address) => `0x${hex(address)}`,
      (address) => `0${address.toString(8)}`,
      (address) => `[::ffff:${hex(address >>> 16)}:${hex(address & 0xffff)}]`,
      (address) => `[64:ff9b::${hex(address >>> 16)}:${hex(address & 0xffff)}]`,
      (address) => `[2002:${hex(address >>> 16)}:${hex(address & 0xffff)}::1]`,
    ];
    fc.assert(
      fc.property(privateAddress, fc.constantFrom(...spellings), (address, spell) => {
        expect(codeOf(`http://${spell(address)}/`)).toBe('private-target');
      }),
    );
  });
});
