import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { signed, strict } from './sigv4.ts';

suite('AWS Signature Version 4', () => {
  test('get-vanilla of the test suite', () => {
    const headers = signed('GET', new URL('https://example.amazonaws.com/'), {
      keys: { id: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' },
      region: 'us-east-1',
      service: 'service',
      now: Date.UTC(2015, 7, 30, 12, 36),
    });
    assert.deepEqual(headers, {
      'x-amz-date': '20150830T123600Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    });
  });

  test("the example of a GET in S3's documents", () => {
    const { authorization } = signed('GET', new URL('https://examplebucket.s3.amazonaws.com/test.txt'), {
      keys: { id: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' },
      region: 'us-east-1',
      service: 's3',
      now: Date.UTC(2013, 4, 24),
      headers: { Range: 'bytes=0-9' },
    });
    assert.match(authorization ?? '', /Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41$/);
  });

  test('encodes what AWS wants encoded', () => {
    assert.equal(strict("a b/c(d)'e*!~-._"), 'a%20b%2Fc%28d%29%27e%2A%21~-._');
  });
});
