package apischema

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
)

// module is the path of this module.
const module = "github.com/bgp-ovn/bgp-ovn/"

// Docs are the comments on types and fields, read from the source when they are asked
// for.
type Docs struct {
	// root is the directory of the module.
	root string
	// packages are comments by the path of a package, then by type or "type.field".
	packages map[string]map[string]string
}

// DocsOf reads the comments of the module in a directory.
func DocsOf(root string) Docs { return Docs{root: root, packages: map[string]map[string]string{}} }

// Type is the comment on a type.
func (d Docs) Type(t reflect.Type) string { return d.of(t)[t.Name()] }

// Field is the comment on a field of a struct.
func (d Docs) Field(t reflect.Type, field string) string { return d.of(t)[t.Name()+"."+field] }

func (d Docs) of(t reflect.Type) map[string]string {
	path, ours := strings.CutPrefix(t.PkgPath(), module)
	if !ours {
		return nil
	}
	if known, ok := d.packages[path]; ok {
		return known
	}
	out := map[string]string{}
	d.packages[path] = out
	files, err := filepath.Glob(filepath.Join(d.root, path, "*.go"))
	if err != nil {
		panic(err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			panic(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok {
				return true
			}
			for _, s := range decl.Specs {
				if spec, ok := s.(*ast.TypeSpec); ok {
					comments(out, decl, spec)
				}
			}
			return true
		})
	}
	return out
}

// comments adds those on a type and its fields.
func comments(to map[string]string, decl *ast.GenDecl, spec *ast.TypeSpec) {
	doc := spec.Doc
	if doc == nil {
		doc = decl.Doc
	}
	to[spec.Name.Name] = oneLine(doc)
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		text := oneLine(f.Doc)
		if text == "" {
			text = oneLine(f.Comment)
		}
		for _, name := range f.Names {
			to[spec.Name.Name+"."+name.Name] = text
		}
	}
}

// link is a link to a name in a comment.
var link = regexp.MustCompile(`\[([A-Z][A-Za-z.]*|[a-z]+\.[A-Z][A-Za-z.]*)\]`)

// oneLine is a comment as one line; links are plain words.
func oneLine(c *ast.CommentGroup) string {
	return link.ReplaceAllString(strings.Join(strings.Fields(c.Text()), " "), "$1")
}
