package wsurl

import (
	"strings"
	"testing"

	"github.com/isosocket/isosocket/errors"
)

// validURLs are URLs and their serialisations by the WHATWG URL Standard.
var validURLs = []struct{ name, url, want string }{
	{"ws", "ws://example.com/chat", "ws://example.com/chat"},
	{"wss", "wss://example.com", "wss://example.com/"},
	{"http", "http://example.com/", "ws://example.com/"},
	{"https", "https://example.com/", "wss://example.com/"},
	{"a scheme in capitals", "WSS://example.com/", "wss://example.com/"},
	{"a host in capitals", "ws://EXAMPLE.com/A", "ws://example.com/A"},
	{"a query", "ws://example.com/?a=1&b=%20", "ws://example.com/?a=1&b=%20"},
	{"a query without a path", "ws://example.com?a=/", "ws://example.com/?a=/"},
	{"an empty query", "ws://example.com/?", "ws://example.com/?"},
	{"a port", "ws://example.com:8080/", "ws://example.com:8080/"},
	{"an empty port", "ws://example.com:/", "ws://example.com/"},
	{"the port of ws", "ws://example.com:80/", "ws://example.com/"},
	{"the port of wss", "wss://example.com:443/", "wss://example.com/"},
	{"the other scheme's port", "ws://example.com:443/", "ws://example.com:443/"},
	{"the highest port", "ws://example.com:65535/", "ws://example.com:65535/"},
	{"a port with zeros in front", "ws://example.com:0081/", "ws://example.com:81/"},
	{"IPv4", "ws://192.0.2.1/", "ws://192.0.2.1/"},
	{"IPv4 with a dot at the end", "ws://192.0.2.1./", "ws://192.0.2.1/"},
	{"IPv4, short", "ws://127.1/", "ws://127.0.0.1/"},
	{"IPv4, one number", "ws://2130706433/", "ws://127.0.0.1/"},
	{"IPv4, hexadecimal and octal", "ws://0x7f.0.0.010/", "ws://127.0.0.8/"},
	{"IPv4, highest", "ws://4294967295/", "ws://255.255.255.255/"},
	{"a name that begins with a number", "ws://1.example/", "ws://1.example/"},
	{"IPv6", "ws://[::1]/", "ws://[::1]/"},
	{"IPv6, zero", "ws://[::]/", "ws://[::]/"},
	{"IPv6 with a port", "ws://[2001:db8::1]:443/", "ws://[2001:db8::1]:443/"},
	{"IPv6, long", "ws://[2001:0DB8:0:0:1:0:0:1]/", "ws://[2001:db8::1:0:0:1]/"},
	{"IPv6, a zero alone", "ws://[1:0:2:3:4:5:6:7]/", "ws://[1:0:2:3:4:5:6:7]/"},
	{"IPv6, :: for one zero", "ws://[1::2:3:4:5:6:7]/", "ws://[1:0:2:3:4:5:6:7]/"},
	{"IPv6, zeros at the end", "ws://[1:2::]/", "ws://[1:2::]/"},
	{"IPv6 with IPv4", "ws://[::ffff:192.0.2.1]/", "ws://[::ffff:c000:201]/"},
	{"a user and a password", "ws://ann:secret@example.com/", "ws://ann:secret@example.com/"},
	{"a user", "ws://ann@example.com/", "ws://ann@example.com/"},
	{"an empty password", "ws://ann:@example.com/", "ws://ann@example.com/"},
	{"no user but an @", "ws://@example.com/", "ws://example.com/"},
	{"a password with anything", `ws://a:|^{<"@:é@example.com/`, "ws://a:%7C%5E%7B%3C%22%40%3A%C3%A9@example.com/"},
	{"percent-encoding", "ws://example.com/%e2%82%ac", "ws://example.com/%e2%82%ac"},
	{"percent-encoding in a host", "ws://ex%61mple.com/", "ws://example.com/"},
	{"a % alone", "ws://example.com/%zz%e?50%", "ws://example.com/%zz%e?50%"},
	{"dot segments", "ws://example.com/a/../b/./c/.", "ws://example.com/b/c/"},
	{"dot segments at the end", "ws://example.com/a/b/..", "ws://example.com/a/"},
	{"too many dot segments", "ws://example.com/../../a", "ws://example.com/a"},
	{"encoded dot segments", "ws://example.com/a/%2E%2e/b/%2e/c/.%2e", "ws://example.com/b/"},
	{"three dots", "ws://example.com/.../a", "ws://example.com/.../a"},
	{"dots in a query", "ws://example.com/?/../", "ws://example.com/?/../"},
	{"empty segments", "ws://example.com//a///b/", "ws://example.com//a///b/"},
	{"an empty segment and a dot segment", "ws://example.com/a//../b", "ws://example.com/a/b"},
	{"backslashes", `ws:\\example.com\a\..\b?\`, `ws://example.com/b?\`},
	{"quotes", `ws://example.com/'"?'"`, `ws://example.com/'%22?%27%22`},
	{"unwise characters", "ws://example.com/ |^`{}<>?|^`{}<>", "ws://example.com/%20%7C%5E%60%7B%7D%3C%3E?|^`{}%3C%3E"},
	{"brackets", "ws://example.com/[a]?[a]", "ws://example.com/[a]?[a]"},
	{"reserved characters", "ws://example.com/a;b=c,d:e@f!$&()*+?x=/?:@-._~", "ws://example.com/a;b=c,d:e@f!$&()*+?x=/?:@-._~"},
	{"not ASCII", "ws://example.com/é€😀?é", "ws://example.com/%C3%A9%E2%82%AC%F0%9F%98%80?%C3%A9"},
	{"spaces", "  ws://example.com/a b?c d ", "ws://example.com/a%20b?c%20d"},
	{"tabs and line breaks", "ws://exam\nple.com/a\tb\r\n", "ws://example.com/ab"},
	{"a control character", "ws://example.com/\x01?\x7f", "ws://example.com/%01?%7F"},
	{"an internationalised host", "ws://Bücher.example/", "ws://xn--bcher-kva.example/"},
	{"a host in its ASCII form", "ws://XN--bcher-kva.example/", "ws://xn--bcher-kva.example/"},
	{"a sharp s", "ws://faß.example/", "ws://xn--fa-hia.example/"},
	{"digits of full width", "ws://１２７.１/", "ws://127.0.0.1/"},
	{"an underscore", "ws://a_b.example/", "ws://a_b.example/"},
	{"hyphens", "ws://-a--b-.example/", "ws://-a--b-.example/"},
}

// strictURLs are valid by the URL Standard, but Parse refuses them.
var strictURLs = []struct{ name, url, want string }{
	{"no slashes", "ws:example.com", "not absolute"},
	{"one slash", "ws:/example.com", "not absolute"},
	{"a host after too many slashes", "ws:///chat", "no host"},
	{"port 0", "ws://example.com:0/", "number from 1 to 65535"},
	{"a placeholder", "ws://{host}/ws", `the character "{", as of a placeholder`},
	{"a placeholder of the shell", "ws://${HOST}:8080/ws", `the character "$", as of a placeholder`},
	{"an asterisk", "ws://*.example/", `the character "*"; allowed are letters`},
	{"a fragment", "ws://example.com/#top", "fragment"},
	{"an empty fragment", "ws://example.com/#", "fragment"},
	{"another scheme", "ftp://example.com/", `"ftp"`},
}

var invalidURLs = []struct{ name, url, want string }{
	{"empty", "", "it is empty"},
	{"white space", " \t\n", "it is empty"},
	{"no scheme", "example.com/chat", "not absolute"},
	{"a path", "/chat", "not absolute"},
	{"a port and no host", "ws://:80/", "no host"},
	{"a user and no host", "ws://ann@/", "no host"},
	{"IPv6 without an address", "ws://[]/", "no host"},
	{"IPv6 that does not end", "ws://[::1/", "no closing ]"},
	{"something after IPv6", "ws://[::1]x/", "follows the host's ]"},
	{"letters in IPv6", "ws://[zz]/", "not an IPv6 address"},
	{"IPv6 with a zone", "ws://[fe80::1%25eth0]/", "not an IPv6 address"},
	{"IPv6, two ::", "ws://[1::2::3]/", "not an IPv6 address"},
	{"IPv6, :::", "ws://[:::]/", "not an IPv6 address"},
	{"IPv6, one : in front", "ws://[:1]/", "not an IPv6 address"},
	{"IPv6, one : at the end", "ws://[1:2:3:4:5:6:7:]/", "not an IPv6 address"},
	{"IPv6, too short", "ws://[1:2:3]/", "not an IPv6 address"},
	{"IPv6, too long", "ws://[1:2:3:4:5:6:7:8:9]/", "not an IPv6 address"},
	{"IPv6, :: for nothing", "ws://[1:2:3:4:5:6:7::8]/", "not an IPv6 address"},
	{"IPv6, five digits", "ws://[12345::]/", "not an IPv6 address"},
	{"IPv6, IPv4 too short", "ws://[::192.0.2]/", "not an IPv6 address"},
	{"IPv6, IPv4 too early", "ws://[1:2:3:4:5:6:7:192.0.2.1]/", "not an IPv6 address"},
	{"IPv4 too high", "ws://256.0.0.1/", "not an IPv4 address"},
	{"IPv4, last too high", "ws://1.2.3.256/", "not an IPv4 address"},
	{"IPv4 too long", "ws://1.2.3.4.5/", "not an IPv4 address"},
	{"IPv4, empty number", "ws://1..2/", "not an IPv4 address"},
	{"IPv4, one number too high", "ws://4294967296/", "not an IPv4 address"},
	{"IPv4, no octal", "ws://1.2.3.08/", "not an IPv4 address"},
	{"a number after a name", "ws://example.1/", "not an IPv4 address"},
	{"a port that is no number", "ws://example.com:http/", "number from 1 to 65535"},
	{"a port too high", "ws://example.com:65536/", "number from 1 to 65535"},
	{"a port far too high", "ws://example.com:18446744073709551696/", "number from 1 to 65535"},
	{"a port with a sign", "ws://example.com:+80/", "number from 1 to 65535"},
	{"a bar in a host", "ws://ex|ample/", `the character "|"; allowed are letters`},
	{"a circumflex in a host", "ws://ex^ample/", `the character "^"`},
	{"angle brackets in a host", "ws://<host>/", `the character "<"`},
	{"a bracket in a host", "ws://ex[ample/", `the character "["`},
	{"a space in a host", "ws://exa mple/", "space or control character"},
	{"a space in a host, encoded", "ws://exa%20mple/", "space or control character"},
	{"a slash in a host, encoded", "ws://exa%2Fmple/", `the character "/"`},
	{"a % in a host", "ws://ex%zz/", `the character "%"`},
	{"a host that is not UTF-8", "ws://ex%ff/", "internationalised"},
	{"a host of nothing", "ws://\u00ad/", "internationalised"},
	{"a host that is not allowed", "ws://\u2488.example/", "internationalised"},
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	for _, test := range validURLs {
		got, err := Parse(test.url)
		if err != nil {
			t.Errorf("%s: Parse(%q) = %v", test.name, test.url, err)
		} else if got.Unredacted() != test.want {
			t.Errorf("%s: Parse(%q) = %s, want %s", test.name, test.url, got.Unredacted(), test.want)
		}
	}
	for _, test := range append(strictURLs, invalidURLs...) {
		got, err := Parse(test.url)
		switch {
		case err == nil:
			t.Errorf("%s: Parse(%q) = %s", test.name, test.url, got.Unredacted())
		case !errors.Is(err, errors.ErrInvalidURL) || !errors.Is(err, errors.ErrWebSocket) || !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: Parse(%q) = %v, want an ErrInvalidURL with %s in it", test.name, test.url, err, test.want)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"ws://ann:secret@example.com/a:b":   "ws://xxxxx@example.com/a:b",
		"ws://token@example.com/":           "ws://xxxxx@example.com/",
		"ws://example.com/?mail=a:b@c":      "ws://example.com/?xxxxx",
		"ws://example.com/?":                "ws://example.com/?",
		"ws://ann:8/secret@example.com/":    "ws://ann:8/xxxxx",
		`ws://ann\secret@example.com/`:      "ws://ann/xxxxx",
		"ws://ann:secret/more@example.com/": "",
		"nonsense":                          "",
	} {
		if got := Redact(url); got != want {
			t.Errorf("Redact(%q) = %q, want %q", url, got, want)
		}
	}
}

// FuzzParseURL checks the form of the URLs that Parse accepts.
func FuzzParseURL(f *testing.F) {
	for _, test := range append(append(validURLs, strictURLs...), invalidURLs...) {
		f.Add(test.url)
	}
	f.Fuzz(func(t *testing.T, url string) {
		a, err := Parse(url)
		if err != nil {
			if !errors.Is(err, errors.ErrInvalidURL) {
				t.Errorf("Parse(%q) = %v", url, err)
			}
			return
		}
		got := a.Unredacted()
		for i := range len(got) {
			if got[i] <= ' ' || got[i] > '~' || got[i] == '#' {
				t.Errorf("Parse(%q) = %q", url, got)
			}
		}
		again, err := Parse(got)
		if err != nil || *again != *a {
			t.Errorf("Parse(%q) = %q, whose own Parse is %+v, %v", url, got, again, err)
		}
	})
}

// FuzzRedact puts a secret into a URL, and looks for it in the texts that may be logged.
func FuzzRedact(f *testing.F) {
	for _, odd := range []string{"", "|", "^", "{", "<", `"`, `\`, "@", "/", "#", "é", "\xff", ":", "?", "%", "%zz", "12/", " ", "\n", "[", "]", "&", "=", "1?", "%40"} {
		f.Add("ws://", odd, "", "example.com/")
		f.Add("wss://ann:", odd, odd, "example.com/chat")
		f.Add("ws:/", odd, odd, "example.com:80/")
		f.Add("ftp://", odd, odd, "example.com/")
		f.Add("", odd, odd, "example.com/")
	}
	const secret = "SeCrEtSeCrEt"
	f.Fuzz(func(t *testing.T, scheme, before, after, rest string) {
		switch lowerASCII(scheme) {
		case "ws://", "wss://", "ws://ann:", "wss://ann:", "http://", "ws:/", "ftp://", "":
		default:
			return
		}
		for _, url := range []string{
			scheme + before + secret + after + "@" + rest,
			scheme + "example.com/chat?" + before + secret + after,
			scheme + "example.com/?key=" + before + secret + after,
		} {
			texts := Redact(url)
			a, err := Parse(url)
			if err != nil {
				texts += err.Error()
			} else {
				if strings.Contains(a.Path, "@") {
					a.Path = "/" // natively only, see TestScrub
				}
				texts += a.Scrub(errors.New("said of " + a.Scheme + "://" + a.Host + a.Path + a.Query)).Error()
				if strings.Contains(a.Host, lowerASCII(secret)) || strings.Contains(a.Path, secret) && !strings.Contains(a.Path, "@") {
					continue // not where a secret is, by any reading
				}
			}
			if strings.Contains(lowerASCII(texts), lowerASCII(secret)) {
				t.Errorf("%q is shown as %q", url, texts)
			}
		}
	})
}
