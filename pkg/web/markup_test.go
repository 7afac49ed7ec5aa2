package web

import "testing"

// A value is text, wherever it stands, and does not become part of the markup.
func TestPut(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"web-1", `<p title="web-1">web-1</p>`},
		{`"><script>`, `<p title="&#34;&gt;&lt;script&gt;">&#34;&gt;&lt;script&gt;</p>`},
		{`' onclick='`, `<p title="&#39; onclick=&#39;">&#39; onclick=&#39;</p>`},
		{"&lt;", `<p title="&amp;lt;">&amp;lt;</p>`},
		{"100%s%d", `<p title="100%s%d">100%s%d</p>`},
		{7, `<p title="7">7</p>`},
		{Pair{2, 1}, `<p title="1 of 2">1 of 2</p>`},
		{question("q", `a b&"<`), `<p title="?q=a+b%26%22%3C">?q=a+b%26%22%3C</p>`},
	} {
		var d document
		d.put(`<p title="%s">%s</p>`, tt.value, tt.value)
		if got := d.String(); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.value, got, tt.want)
		}
	}
}
