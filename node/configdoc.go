package node

import (
	"fmt"
	"reflect"
	"strings"
)

// ConfigReference is docs/configuration.md: every key with its default and its
// documentation, from the fields of [Config].
func ConfigReference() []byte {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Generated from the fields of node.Config: go test ./node -run TestConfigurationReference -update -->

A node reads one TOML file. An unknown key is an error. Relative paths count from the file's folder.
` + "`meshsec start --config FILE`" + ` runs it; ` + "`meshsec init`" + ` writes one with these comments in it.
`)
	c := DefaultConfig()
	writeReference(&b, "", reflect.ValueOf(c))
	return []byte(b.String())
}

// writeReference writes a table of the plain keys of a section, then its
// sections.
func writeReference(b *strings.Builder, prefix string, v reflect.Value) {
	t := v.Type()
	b.WriteString("\n| key | default | meaning |\n|---|---|---|\n")
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Kind() != reflect.Struct {
			fmt.Fprintf(b, "| `%s%s` | %s | %s |\n", prefix, f.Tag.Get("toml"), defaultText(v.Field(i)), f.Tag.Get("comment"))
		}
	}
	for i := range t.NumField() {
		if f := t.Field(i); f.Type.Kind() == reflect.Struct {
			fmt.Fprintf(b, "\n## [%s]\n\n%s\n", f.Tag.Get("toml"), f.Tag.Get("comment"))
			writeReference(b, f.Tag.Get("toml")+".", v.Field(i))
		}
	}
}

func defaultText(v reflect.Value) string {
	switch d := v.Interface().(type) {
	case Span:
		text, _ := d.MarshalText() // never fails
		return fmt.Sprintf("`%s`", text)
	case []string:
		if len(d) == 0 {
			return "none"
		}
		return "`" + strings.Join(d, "`, `") + "`"
	case string:
		if d == "" {
			return "none"
		}
	}
	return fmt.Sprintf("`%v`", v.Interface())
}
