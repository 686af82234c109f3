package arch

import (
	"cmp"
	"go/ast"
	"go/token"
	"slices"
)

// undocumented returns, sorted, the exported names of a file without a comment.
// A comment on a group counts for its constants and variables.
func undocumented(f *ast.File) []string {
	var found []string
	for _, declaration := range f.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && isExportedReceiver(d) {
				found = append(found, functionName(d))
			}
		case *ast.GenDecl:
			found = append(found, undocumentedSpecs(d)...)
		}
	}
	slices.Sort(found)
	return found
}

func undocumentedSpecs(d *ast.GenDecl) []string {
	var found []string
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
				found = append(found, s.Name.Name)
			}
		case *ast.ValueSpec:
			for _, name := range s.Names {
				if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					found = append(found, name.Name)
				}
			}
		}
	}
	return found
}

// clockCalls returns, sorted, the functions of package time that a file uses and
// that ask for the time or wait.
func clockCalls(f *ast.File) []string {
	asking := []string{"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until"}
	var found []string
	ast.Inspect(f, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := selector.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(asking, selector.Sel.Name) {
			found = append(found, "time."+selector.Sel.Name)
		}
		return true
	})
	slices.Sort(found)
	return found
}

// lengths returns the lines of each function of a file, from its signature to
// the closing brace.
func lengths(fset *token.FileSet, f *ast.File) map[string]int {
	found := make(map[string]int)
	for _, declaration := range f.Decls {
		if d, ok := declaration.(*ast.FuncDecl); ok {
			found[functionName(d)] = fset.Position(d.End()).Line - fset.Position(d.Pos()).Line + 1
		}
	}
	return found
}

// size is how long a function or a file is.
type size struct {
	where string
	lines int
}

func sortLongestFirst(sizes []size) {
	slices.SortFunc(sizes, func(a, b size) int {
		return cmp.Or(cmp.Compare(b.lines, a.lines), cmp.Compare(a.where, b.where))
	})
}

// over returns those of sizes, which are sorted longest first, that are longer
// than limit.
func over(sizes []size, limit int) []size {
	end := slices.IndexFunc(sizes, func(s size) bool { return s.lines <= limit })
	if end < 0 {
		return sizes
	}
	return sizes[:end]
}

// percentile returns the lines that percent of sizes, which are sorted longest
// first and not empty, do not exceed.
func percentile(sizes []size, percent int) int {
	return sizes[len(sizes)-(len(sizes)*percent+99)/100].lines
}

// functionName is the name of a function, for a method with its receiver's type.
func functionName(d *ast.FuncDecl) string {
	if receiver := receiverName(d); receiver != "" {
		return receiver + "." + d.Name.Name
	}
	return d.Name.Name
}

func isExportedReceiver(d *ast.FuncDecl) bool {
	receiver := receiverName(d)
	return receiver == "" || ast.IsExported(receiver)
}

// receiverName is the name of the type whose method a function is, or empty.
func receiverName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return ""
	}
	expression := d.Recv.List[0].Type
	for {
		switch e := expression.(type) {
		case *ast.StarExpr:
			expression = e.X
		case *ast.IndexExpr:
			expression = e.X
		case *ast.IndexListExpr:
			expression = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}
