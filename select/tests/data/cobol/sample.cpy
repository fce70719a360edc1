      * Every kind of field that a copybook may lay out.
       01  SAMPLE-RECORD.
           05  REC-ID              PIC 9(6).
           05  CUST-NAME           PIC X(20).
           05  PRICE               PIC S9(5)V99.
           05  PRICE-LEAD          PIC S9(5)V99 SIGN IS LEADING.
           05  PRICE-SEP           PIC S9(5)V99
                                   SIGN TRAILING SEPARATE CHARACTER.
           05  PRICE-LSEP          PIC S9(5)V99
                                   SIGN LEADING SEPARATE.
           05  PACKED-AMT          PIC S9(7)V99 COMP-3.
           05  PACKED-UNS          PIC 9(4) USAGE PACKED-DECIMAL.
           05  PACKED-NOSIGN       PIC 9(6) COMP-6.
           05  BIN-1               PIC S99 COMP.
           05  BIN-2               PIC S9(4) BINARY.
           05  BIN-4               PIC S9(9) COMP-4.
           05  BIN-8               PIC S9(16)V99 COMP.
           05  BIN-UNS             PIC 9(8) COMP.
           05  NATIVE-4            PIC S9(9) COMP-5.
           05  RATIO-4             COMP-1.
           05  RATIO-8             COMP-2.
           05  EDITED              PIC ZZ,ZZ9.99-.
           05  FILLER              PIC X(3).
           05  DUE-DATE            PIC 9(8).
           05  DUE-PARTS REDEFINES DUE-DATE.
               10  DUE-YEAR        PIC 9(4).
               10  DUE-MONTH       PIC 99.
               10  DUE-DAY         PIC 99.
           05  PHONES OCCURS 2 TIMES.
               10  PHONE-KIND      PIC X.
                   88  PHONE-HOME  VALUE 'H'.
               10  DIGIT           PIC 9 OCCURS 3.
