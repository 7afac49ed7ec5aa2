package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// repository is what the checks need to know of the code.
type repository struct {
	// packages are by directory, with slashes, relative to the root.
	packages map[string]*goPackage
	// files are all files, relative to the root.
	files []string
	// problems are the codes of problems in status.
	problems []string
}

// goPackage is what one directory declares, tests included.
type goPackage struct {
	name string
	// doc is the package comment; docs are those of several files together.
	doc string
	// declared has top-level names, and methods and fields as "Type.Name" and
	// "Name".
	declared map[string]bool
	// constants are those of strings, without tests.
	constants map[string]string
}

var loadRepository = sync.OnceValues(func() (*repository, error) {
	r := &repository{packages: map[string]*goPackage{}}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); rel != "." && (strings.HasPrefix(base, ".") || base == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		r.files = append(r.files, filepath.ToSlash(rel))
		if strings.HasSuffix(rel, ".go") && !strings.Contains(rel, "testdata") {
			return r.add(name, filepath.ToSlash(filepath.Dir(rel)))
		}
		return nil
	})
	return r, err
})

func load(t *testing.T) *repository {
	t.Helper()
	r, err := loadRepository()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// add parses a file of the package in dir.
func (r *repository) add(file, dir string) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	p := r.packages[dir]
	if p == nil {
		p = &goPackage{declared: map[string]bool{}, constants: map[string]string{}}
		r.packages[dir] = p
	}
	if !strings.HasSuffix(file, "_test.go") || p.name == "" {
		p.name = f.Name.Name
	}
	if f.Doc != nil {
		p.doc += f.Doc.Text()
	}
	if !strings.HasSuffix(file, "_test.go") {
		p.findConstants(f)
		r.findProblems(f)
	}
	for _, d := range f.Decls {
		p.declare(d)
	}
	return nil
}

func (p *goPackage) declare(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			p.declared[d.Name.Name] = true
			return
		}
		p.member(receiver(d.Recv.List[0].Type), d.Name)
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.ValueSpec:
				for _, n := range s.Names {
					p.declared[n.Name] = true
				}
			case *ast.TypeSpec:
				p.declared[s.Name.Name] = true
				p.members(s)
			}
		}
	}
}

// findConstants notes constants that are written as a string.
func (p *goPackage) findConstants(f *ast.File) {
	for _, d := range f.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || decl.Tok != token.CONST {
			continue
		}
		for _, s := range decl.Specs {
			spec := s.(*ast.ValueSpec) // the only spec of a constant
			for i, name := range spec.Names {
				if i < len(spec.Values) {
					if text, ok := stringOf(spec.Values[i]); ok {
						p.constants[name.Name] = text
					}
				}
			}
		}
	}
}

// stringOf returns the value of a literal string.
func stringOf(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// members declares the fields or methods that a type lists.
func (p *goPackage) members(s *ast.TypeSpec) {
	var list *ast.FieldList
	switch t := s.Type.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return
	}
	for _, field := range list.List {
		for _, n := range field.Names {
			p.member(s.Name.Name, n)
		}
	}
}

func (p *goPackage) member(of string, name *ast.Ident) {
	p.declared[name.Name] = true
	p.declared[of+"."+name.Name] = true
}

// receiver is the name of a receiver's type, without pointer and type
// parameters.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// hasPath reports whether a file or directory has this path, or one that ends
// with it after a slash.
func (r *repository) hasPath(name string) bool {
	name = strings.TrimSuffix(name, "/")
	return slices.ContainsFunc(r.files, func(file string) bool {
		for file := file; file != "."; file = path.Dir(file) {
			if file == name || strings.HasSuffix(file, "/"+name) {
				return true
			}
		}
		return false
	})
}

// named returns the packages of that name.
func (r *repository) named(name string) []*goPackage {
	var out []*goPackage
	for dir, p := range r.packages {
		if p.name == name || path.Base(dir) == name {
			out = append(out, p)
		}
	}
	return out
}

// anyDeclares reports whether some package declares the name.
func (r *repository) anyDeclares(name string) bool {
	for _, p := range r.packages {
		if p.declared[name] {
			return true
		}
	}
	return false
}

// The checks below are worth something only if the code was found.
func TestRepositoryIsRead(t *testing.T) {
	r := load(t)
	p := r.packages["pkg/observe"]
	if p == nil {
		t.Fatal("pkg/observe was not found")
	}
	for _, name := range []string{
		"Snapshot", "Snapshot.Chassis", "ErrNotSynced", "Join.Snapshot", "Source.Read",
		"SkipConflict",
	} {
		if !p.declared[name] {
			t.Errorf("observe.%s was not found", name)
		}
	}
	if p.declared["Nonsense"] || !strings.Contains(p.doc, "Read next") {
		t.Errorf("pkg/observe was read wrongly: %q", p.doc)
	}
	for _, name := range []string{"docs/repo_test.go", "repo_test.go", "docs", "docs/", "pkg/observe/"} {
		if !r.hasPath(name) {
			t.Errorf("%s was not found", name)
		}
	}
	for _, name := range []string{"o_test.go", "pkg/nowhere", "observe/nothing.go"} {
		if r.hasPath(name) {
			t.Errorf("%s was found", name)
		}
	}
}

// complain reports each problem with its place.
func complain(t *testing.T, place string, problems []string) {
	t.Helper()
	for _, p := range problems {
		t.Errorf("%s: %s", place, p)
	}
}

func missing(what, name string) string { return fmt.Sprintf("there is no %s %s", what, name) }
